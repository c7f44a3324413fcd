#!/usr/bin/env python3
"""Relevance form against gradient form, on a toy decoder; shares nothing with the other references here.

Usage:  python3 toy_oracle.py [SEED]        (default 0; standard library only)

The toy is a 3-layer causal decoder with random weights: RMSNorm, grouped-query attention,
rotary positions, SwiGLU, no biases. All arithmetic is double precision.

  relevance_form()  applies the explicit relevance rules op by op (with a stabiliser eps).
  gradient_form()   runs one backward pass with modified VJPs and multiplies by the input.

Both are computed for 'base' (AttnLRP) and 'pa' (AttnLRP + rotary PA-LRP); 'cp' (CP-LRP) only
in gradient form. For each eps the program prints the largest relative difference between the
two forms (sem = token relevance, pe = positional relevance), the sums, the softmax loss
kappa, and the audit residual  total + kappa - logit.

Conventions: a matrix is a list of rows; activations are [tokens][features]; a linear map is
x @ W with W stored as [in][out]. The functions can be imported to export weights and maps.
"""
import math
import random
import sys

N_TOKENS, D_MODEL, N_HEADS, N_KV, D_HEAD, D_FFN, N_VOCAB, N_LAYERS = 6, 8, 4, 2, 4, 10, 7, 3
GROUP = N_HEADS // N_KV          # query heads per key/value head
ROPE_BASE = 10.0
RMS_EPS = 1e-6


# ---- small dense linear algebra -------------------------------------------------------------

def matmul(a, b):
    bt = list(zip(*b))
    return [[sum(x * y for x, y in zip(r, c)) for c in bt] for r in a]


def transpose(a):
    return [list(r) for r in zip(*a)]


def ewise(f, *ms):
    return [[f(*v) for v in zip(*rows)] for rows in zip(*ms)]


def add(a, b):
    return ewise(lambda x, y: x + y, a, b)


def mul(a, b):
    return ewise(lambda x, y: x * y, a, b)


def scale(a, k):
    return [[x * k for x in r] for r in a]


def zeros(r, c):
    return [[0.0] * c for _ in range(r)]


def total(a):
    return sum(map(sum, a))


def head(a, i):
    """Columns of head i."""
    return [r[i * D_HEAD:(i + 1) * D_HEAD] for r in a]


def join(heads):
    return [sum((m[i] for m in heads), []) for i in range(len(heads[0]))]


def rotate_half(x):
    h = len(x[0]) // 2
    return [[-v for v in r[h:]] + r[:h] for r in x]


def rotate_half_t(g):
    """Transpose of rotate_half."""
    h = len(g[0]) // 2
    return [r[h:] + [-v for v in r[:h]] for r in g]


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def silu(z):
    return z / (1 + math.exp(-z))


# ---- model ----------------------------------------------------------------------------------

def build(seed):
    """Random weights, input embeddings and rotary tables."""
    rng = random.Random(seed)

    def mat(r, c, s=1.0):
        return [[rng.gauss(0, s) for _ in range(c)] for _ in range(r)]

    def gain():
        return [rng.uniform(.5, 1.5) for _ in range(D_MODEL)]

    layers = []
    for _ in range(N_LAYERS):
        layers.append(dict(
            q=mat(D_MODEL, N_HEADS * D_HEAD, .5), k=mat(D_MODEL, N_KV * D_HEAD, .5),
            v=mat(D_MODEL, N_KV * D_HEAD, .5), o=mat(N_HEADS * D_HEAD, D_MODEL, .5),
            g=mat(D_MODEL, D_FFN, .5), u=mat(D_MODEL, D_FFN, .5), d=mat(D_FFN, D_MODEL, .5),
            n1=gain(), n2=gain()))
    final_gain = gain()
    unembed = mat(D_MODEL, N_VOCAB, .5)
    embed = mat(N_TOKENS, D_MODEL)

    half = D_HEAD // 2
    angle = [[i * (ROPE_BASE ** (-(d % half) / half)) for d in range(D_HEAD)] for i in range(N_TOKENS)]
    return dict(layers=layers, final_gain=final_gain, unembed=unembed, embed=embed,
                cos=ewise(math.cos, angle), sin=ewise(math.sin, angle))


def rms_norm(x, w):
    out, r = [], []
    for row in x:
        s = 1 / math.sqrt(sum(v * v for v in row) / len(row) + RMS_EPS)
        r.append(s)
        out.append([v * s * wi for v, wi in zip(row, w)])
    return out, r


def causal_softmax(a):
    out = []
    for i, row in enumerate(a):
        m = max(row[:i + 1])
        e = [math.exp(v - m) for v in row[:i + 1]]
        s = sum(e)
        out.append([v / s for v in e] + [0.0] * (len(row) - i - 1))
    return out


def forward(model):
    """Run the toy; keep everything the backward passes need."""
    cos, sin = model['cos'], model['sin']

    def rope(z):
        return add(mul(z, cos), mul(rotate_half(z), sin))

    x, tape = model['embed'], []
    for w in model['layers']:
        t = dict(x=x)
        t['h'], t['r1'] = rms_norm(x, w['n1'])
        t['q'], t['k'], t['v'] = (matmul(t['h'], w[c]) for c in 'qkv')
        t['kr'] = [rope(head(t['k'], j)) for j in range(N_KV)]
        t['qr'], t['S'], t['A'], t['O'] = [], [], [], []
        for a in range(N_HEADS):
            qr = rope(head(t['q'], a))
            s = scale(matmul(qr, transpose(t['kr'][a // GROUP])), 1 / math.sqrt(D_HEAD))
            p = causal_softmax(s)
            t['qr'].append(qr)
            t['S'].append(s)
            t['A'].append(p)
            t['O'].append(matmul(p, head(t['v'], a // GROUP)))
        t['o'] = join(t['O'])
        t['attn'] = matmul(t['o'], w['o'])
        x = add(x, t['attn'])
        t['x2'] = x
        t['h2'], t['r2'] = rms_norm(x, w['n2'])
        t['g'], t['u'] = matmul(t['h2'], w['g']), matmul(t['h2'], w['u'])
        t['a'] = ewise(silu, t['g'])
        t['m'] = mul(t['a'], t['u'])
        t['d'] = matmul(t['m'], w['d'])
        x = add(x, t['d'])
        tape.append(t)

    y, r_final = rms_norm(x, model['final_gain'])
    logits = matmul([y[-1]], model['unembed'])[0]
    target = max(range(N_VOCAB), key=lambda i: logits[i])
    return dict(layers=tape, y=y, r_final=r_final, logits=logits, target=target)


# ---- relevance form: explicit rules, stabiliser eps ------------------------------------------

def relevance_form(model, tape, mode, eps):
    """mode 'base' or 'pa'. Returns (R at embeddings, [(R_cos, R_sin) per layer], softmax loss)."""
    cos, sin = model['cos'], model['sin']

    def stab(z):
        return z + eps                     # unsigned, as in the official explicit code

    def linear(R, x, w, z):                # z = x @ w
        N = ewise(lambda r, zz: r / stab(zz), R, z)
        return mul(x, matmul(N, transpose(w)))

    def add2(R, a, b):                     # z = a + b
        N = ewise(lambda r, x, y: r / stab(x + y), R, a, b)
        return mul(N, a), mul(N, b)

    def matmul2(R, a, b, z):               # z = a @ b, half the relevance to each factor
        N = ewise(lambda r, zz: r / stab(2 * zz), R, z)
        return mul(matmul(N, transpose(b)), a), mul(matmul(transpose(a), N), b)

    seed = [0.0] * N_VOCAB
    seed[tape['target']] = tape['logits'][tape['target']]
    R = zeros(N_TOKENS, D_MODEL)           # RMSNorm: identity on relevance
    R[-1] = linear([seed], [tape['y'][-1]], model['unembed'], [tape['logits']])[0]

    pe, softmax_loss = [], 0.0
    for w, t in reversed(list(zip(model['layers'], tape['layers']))):
        # feed-forward: uniform rule on the product, identity on SiLU
        R_x2, R_d = add2(R, t['x2'], t['d'])
        R_m = linear(R_d, t['m'], w['d'], t['d'])
        R_a, R_u = scale(R_m, .5), scale(R_m, .5)
        R_h2 = add(linear(R_a, t['h2'], w['g'], t['g']), linear(R_u, t['h2'], w['u'], t['u']))
        R_x2 = add(R_x2, R_h2)
        # attention
        R_x, R_attn = add2(R_x2, t['x'], t['attn'])
        R_o = linear(R_attn, t['o'], w['o'], t['attn'])
        R_cos, R_sin = zeros(N_TOKENS, D_HEAD), zeros(N_TOKENS, D_HEAD)

        def rope(R_rot, z):                # relevance of rotated z -> relevance of z
            R1, R2 = add2(R_rot, mul(z, cos), mul(rotate_half(z), sin))
            if mode == 'pa':               # cos, sin are live inputs and take half
                for acc, part in ((R_cos, R1), (R_sin, R2)):
                    for i in range(N_TOKENS):
                        for d in range(D_HEAD):
                            acc[i][d] += .5 * part[i][d]
                R1, R2 = scale(R1, .5), scale(R2, .5)
            half = D_HEAD // 2             # rotate_half permutes and changes signs: relevance permutes
            return add(R1, [r[half:] + r[:half] for r in R2])

        R_kr = [zeros(N_TOKENS, D_HEAD) for _ in range(N_KV)]
        R_v = [zeros(N_TOKENS, D_HEAD) for _ in range(N_KV)]
        R_q = []
        for a in range(N_HEADS):
            j = a // GROUP
            R_A, R_V = matmul2(head(R_o, a), t['A'][a], head(t['v'], j), t['O'][a])
            R_v[j] = add(R_v[j], R_V)
            R_S = zeros(N_TOKENS, N_TOKENS)
            for i in range(N_TOKENS):      # softmax rule on unshifted scores
                row = sum(R_A[i])
                for c in range(i + 1):
                    R_S[i][c] = t['S'][a][i][c] * (R_A[i][c] - t['A'][a][i][c] * row)
            softmax_loss += total(R_A) - total(R_S)
            unscaled = scale(t['S'][a], math.sqrt(D_HEAD))
            R_qr, R_krt = matmul2(R_S, t['qr'][a], transpose(t['kr'][j]), unscaled)
            R_kr[j] = add(R_kr[j], transpose(R_krt))
            R_q.append(rope(R_qr, head(t['q'], a)))
        R_k = [rope(R_kr[j], head(t['k'], j)) for j in range(N_KV)]
        R_h = add(add(linear(join(R_q), t['h'], w['q'], t['q']), linear(join(R_k), t['h'], w['k'], t['k'])),
                  linear(join(R_v), t['h'], w['v'], t['v']))
        R = add(R_x, R_h)
        pe.append((R_cos, R_sin))
    return R, pe[::-1], softmax_loss


# ---- gradient form: modified VJPs, then input times gradient ----------------------------------

def gradient_form(model, tape, mode):
    """mode 'base', 'pa' or 'cp'. Returns (R at embeddings, [(R_cos, R_sin) per layer])."""
    cos, sin = model['cos'], model['sin']
    f_qk, f_v = (0.0, 1.0) if mode == 'cp' else (.25, .5)

    seed = [0.0] * N_VOCAB
    seed[tape['target']] = 1.0
    g_y = matmul([seed], transpose(model['unembed']))[0]
    g = zeros(N_TOKENS, D_MODEL)
    g[-1] = [gi * wi * tape['r_final'][-1] for gi, wi in zip(g_y, model['final_gain'])]

    def norm_vjp(g_h, gain, r):            # 1/rms is a constant
        return [[v * wi * ri for v, wi in zip(row, gain)] for row, ri in zip(g_h, r)]

    pe = []
    for w, t in reversed(list(zip(model['layers'], tape['layers']))):
        # feed-forward
        g_m = matmul(g, transpose(w['d']))
        if mode == 'cp':                   # the gate is a constant
            g_h2 = matmul(mul(g_m, t['a']), transpose(w['u']))
        else:
            g_a = mul(scale(g_m, .5), t['u'])
            g_g = ewise(lambda x, z: x * sigmoid(z), g_a, t['g'])
            g_u = mul(scale(g_m, .5), t['a'])
            g_h2 = add(matmul(g_g, transpose(w['g'])), matmul(g_u, transpose(w['u'])))
        g = add(g, norm_vjp(g_h2, w['n2'], t['r2']))
        # attention
        g_o = matmul(g, transpose(w['o']))
        R_cos, R_sin = zeros(N_TOKENS, D_HEAD), zeros(N_TOKENS, D_HEAD)

        def rope(g_rot, z):                # gradient at rotated z -> gradient at z
            f = 1.0
            if mode == 'pa':
                rz = rotate_half(z)
                for i in range(N_TOKENS):
                    for d in range(D_HEAD):
                        R_cos[i][d] += .5 * z[i][d] * cos[i][d] * g_rot[i][d]
                        R_sin[i][d] += .5 * rz[i][d] * sin[i][d] * g_rot[i][d]
                f = .5
            return scale(add(mul(g_rot, cos), rotate_half_t(mul(g_rot, sin))), f)

        g_kr = [zeros(N_TOKENS, D_HEAD) for _ in range(N_KV)]
        g_v = [zeros(N_TOKENS, D_HEAD) for _ in range(N_KV)]
        g_q = []
        for a in range(N_HEADS):
            j = a // GROUP
            g_O = head(g_o, a)
            g_A = matmul(g_O, transpose(head(t['v'], j)))
            g_v[j] = add(g_v[j], scale(matmul(transpose(t['A'][a]), g_O), f_v))
            g_S = zeros(N_TOKENS, N_TOKENS)
            for i in range(N_TOKENS):      # standard softmax VJP
                dot = sum(x * y for x, y in zip(g_A[i], t['A'][a][i]))
                for c in range(i + 1):
                    g_S[i][c] = t['A'][a][i][c] * (g_A[i][c] - dot) / math.sqrt(D_HEAD)
            g_q.append(rope(scale(matmul(g_S, t['kr'][j]), f_qk), head(t['q'], a)))
            g_kr[j] = add(g_kr[j], scale(matmul(transpose(g_S), t['qr'][a]), f_qk))
        g_k = [rope(g_kr[j], head(t['k'], j)) for j in range(N_KV)]
        g_h = add(add(matmul(join(g_q), transpose(w['q'])), matmul(join(g_k), transpose(w['k']))),
                  matmul(join(g_v), transpose(w['v'])))
        g = add(g, norm_vjp(g_h, w['n1'], t['r1']))
        pe.append((R_cos, R_sin))
    return mul(model['embed'], g), pe[::-1]


# ---- report ---------------------------------------------------------------------------------

def max_rel(a, b):
    m = max(abs(x) for r in a for x in r) or 1
    return max(abs(x - y) for ra, rb in zip(a, b) for x, y in zip(ra, rb)) / m


def main(argv):
    model = build(int(argv[1]) if len(argv) > 1 else 0)
    tape = forward(model)
    logit = tape['logits'][tape['target']]
    print('logit', logit)

    for mode in ('base', 'pa'):
        for eps in (1e-14, 1e-8, 1e-6):
            R_e, pe_e, loss = relevance_form(model, tape, mode, eps)
            R_g, pe_g = gradient_form(model, tape, mode)
            d_pe = max([max_rel(x, y) for a, b in zip(pe_e, pe_g) for x, y in zip(a, b)])
            sum_pe = sum(total(a) + total(b) for a, b in pe_e)
            both = total(R_e) + sum_pe
            print(f"{mode:5s} eps={eps:g} sem maxrel={max_rel(R_e, R_g):.2e} pe maxrel={d_pe:.2e}  "
                  f"sum_sem={total(R_e):.6f} sum_pe={sum_pe:.6f} total={both:.6f} "
                  f"softmax_loss={loss:.6f} total+loss-logit={both + loss - logit:.2e}")

    R_cp, _ = gradient_form(model, tape, 'cp')
    print('cp   total', total(R_cp), 'minus logit', total(R_cp) - logit)

    R_base, _ = gradient_form(model, tape, 'base')
    R_pa, pe = gradient_form(model, tape, 'pa')

    def per_token(m):
        return [round(sum(r), 5) for r in m]

    print('base sem', per_token(R_base))
    print('pa   sem', per_token(R_pa))
    print('pa   pe signed', [round(sum(sum(c[i]) + sum(s[i]) for c, s in pe), 5) for i in range(N_TOKENS)])
    print('pa   pe code (|c|+|s|)',
          [round(sum(abs(sum(c[i])) + abs(sum(s[i])) for c, s in pe), 5) for i in range(N_TOKENS)])


if __name__ == '__main__':
    main(sys.argv)
