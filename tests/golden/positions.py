"""What pa_lrp reads of positions, restated: the tables of a rotation are leaves, one copy for each layer and query head,
used on both sides; a score bias takes its share of each score, a table of relative keys half of it; a learned table its share of the sum."""
import torch


def turned(x, neighbours):
    """What the sines multiply: pairs (2i, 2i + 1), or (i, i + r/2)."""
    if neighbours:
        return torch.stack((-x[..., 1::2], x[..., 0::2]), -1).flatten(-2)
    a, b = x.chunk(2, -1)
    return torch.cat((-b, a), -1)


def rotated(account, l, both, rope):
    """q and k (H, T, D), keys already one for each query head; the first R dimensions turn."""
    cos, sin, neighbours = rope
    r, product = cos.shape[-1], torch.mul
    if account.rules and account.method.positions:
        cos, sin = (y.expand(both[0].shape[0], -1, -1).clone().requires_grad_() for y in (cos, sin))
        account.tables[l], product = (cos, sin, neighbours), account.gated
    turn = lambda x: account.sum(product(x, cos), product(turned(x, neighbours), sin))  # noqa: E731
    return tuple(torch.cat((turn(x[..., :r]), x[..., r:]), -1) for x in both)


def _pairs(account, l, r):
    """(H, T, T): relevance of each query and key that the rotation of r dimensions has, from the scores."""
    q, k, z = (account.seen[l, c] for c in "qkz")
    return 2 * z.grad * (q[..., :r].detach() @ k[..., :r].detach().transpose(1, 2)) / 4  # z.grad has the half of A V


def _distances(pairs):
    """By query less key; of keys after the query, by key less query."""
    t, all_ = pairs.shape[-1], pairs.sum(0)
    return tuple(torch.stack([all_.diagonal(s * d).sum() * (s < 0 or d > 0) for d in range(t)]) for s in (-1, 1))


def _rotary(account, l):
    cos, sin, neighbours = account.tables[l]
    c, s = (y.detach() * y.grad for y in (cos, sin))
    both, r = (c + s).sum(0), c.shape[-1]
    f = both[:, 0::2] + both[:, 1::2] if neighbours else both[:, :r // 2] + both[:, r // 2:]
    pairs = _pairs(account, l, r)
    o = account.seen[l, "o"]  # a window of one key leaves nothing but rounding to pairs
    size = float(pairs.abs().sum() + (o.detach() * o.grad).abs().sum())
    tol = float("inf") if account.method.stab else account.tol  # what is lost between the rotation and the scores
    assert abs(float(pairs.sum() - (c + s).sum())) < tol * size
    assert float(((pairs.sum(2) + pairs.sum(1)) / 2 - (c + s).sum(-1)).abs().max()) < tol * size
    c, s, by_head = c.sum(0), s.sum(0), (c + s).sum(-1)
    positive = [y.clamp(min=0).sum(1) for y in (c + s, c, s)]
    return {"position": (c + s).sum(1), "cos": c.sum(1), "sin": s.sum(1), "head": by_head, "frequency": f.T,
            "distance": _distances(pairs)[0], "joint": positive[0], "cos_sin": positive[1] + positive[2]}


def _biased(account, l):
    b = account.absolute if account.method.absolute else account.biases[l]
    return _of_pairs(account, b * account.seen[l, "sum"].grad)


def _relative(account, l):
    """The table's half of each product."""
    return _of_pairs(account, sum((e.detach() * e.grad).sum(-1) for e in account.relative[l][0]))


def _of_pairs(account, pairs):
    by_head = pairs.sum(1) if account.method.key else (pairs.sum(1) + pairs.sum(2)) / 2
    all_, zero = by_head.sum(0), torch.zeros(pairs.shape[-1])
    behind, ahead = _distances(pairs)
    more = {"ahead": ahead} if account.both_ways else {}
    return {"position": all_, "cos": zero, "sin": zero, "head": by_head, "distance": behind + ahead, **more,
            "joint": all_.clamp(min=0), "cos_sin": all_.clamp(min=0)}


def _learned(account):
    each = account.learned * account.sum_grad()
    zero, plus = torch.zeros(len(each)), each.clamp(min=0).sum(1)
    return {"position": each.sum(1), "cos": zero, "sin": zero, "joint": plus, "cos_sin": plus}


def read(account):
    """Arrays whose first dimension are the layers that have an encoding; None if there is none."""
    rows = [_learned(account)] if account.learned is not None else []
    rows += [_rotary(account, l) for l in sorted(account.tables)]
    rows += [_biased(account, l) for l in sorted(account.biases)]
    rows += [_relative(account, l) for l in sorted(account.relative) if account.method.share is None]
    return {k: torch.stack([row[k] for row in rows]).detach() for k in rows[0]} if rows else None


def by_token(account, relevance):
    """(T) signed sums and sums of positive parts by channel, of the tokens; the same of their types, or None."""
    parts = [relevance] if account.tokens is None else [(account.tokens * account.tokens.grad).detach(), relevance]
    tokens = tuple(torch.cat([f(y).sum(1) for y in parts]) for f in (torch.clone, lambda y: y.clamp(min=0)))
    if account.types is None:
        return tokens, None
    types = account.types * account.embed.grad
    return tokens, (types.sum(1), types.clamp(min=0).sum(1))


def aggregates(tokens, types, parts):
    """tokens, types: of by_token(). As the official code: tokens and types signed, cosines and sines by magnitude, the
    rest signed, then divided by the largest; as the paper: positive parts by channel."""
    token, plus = (tokens[i] + types[i] if types else tokens[i] for i in range(2))
    if parts is None:
        zero = torch.zeros(len(token))
        parts = dict.fromkeys(("position", "cos", "sin", "joint", "cos_sin"), zero[None])
    c, s = parts["cos"], parts["sin"]
    code = token + (c.abs() + s.abs() + (parts["position"] - c - s)).sum(0)
    return {"sum": token + parts["position"].sum(0), "code": code / code.abs().max(),
            "joint": plus + parts["joint"].sum(0), "cos_sin": plus + parts["cos_sin"].sum(0)}
