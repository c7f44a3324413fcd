/* A machine with a stack and a memo, whose program is the pickle. Python's
 * pickletools.py describes all opcodes. */
#include "pickle.h"

#include <string.h>

#include "ctx.h"
#include "utf8.h"

enum { NEWEST = 5 }; /* protocol */

static heed_status take(heedi_pickle *m, uint64_t size,
                        const unsigned char **out)
{
    *out = m->p + m->at;
    if (size > m->n - m->at)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: the pickle ends at byte %zu, where %llu more "
                          "are needed from byte %zu on",
                          m->path, m->n, (unsigned long long)size, m->at);
    m->at += (size_t)size;
    return HEED_OK;
}

static heed_status take_le(heedi_pickle *m, int bytes, uint64_t *out)
{
    const unsigned char *p;
    HEEDI_TRY(take(m, (uint64_t)bytes, &p));
    *out = heedi_le(p, bytes);
    return HEED_OK;
}

/* How many values are above the last mark. */
static heed_status above_mark(const heedi_pickle *m, size_t *n)
{
    for (*n = 0; *n < m->n_stack; ++*n)
        if (m->stack[m->n_stack - 1 - *n].kind == HEEDI_P_MARK)
            return HEED_OK;
    return heedi_pickle_bad(m, "no mark is on the stack");
}

/* ---- opcodes ---- */

static heed_status op_proto(heedi_pickle *m, int k)
{
    uint64_t version;
    HEEDI_TRY(take_le(m, k, &version));
    if (version >= 2 && version <= NEWEST)
        return HEED_OK;
    return heedi_fail(m->ctx, HEED_ENOTSUP,
                      "%s: a pickle of protocol %llu, 2 to %d are read",
                      m->path, (unsigned long long)version, NEWEST);
}

static heed_status op_frame(heedi_pickle *m, int k)
{
    uint64_t size;
    HEEDI_TRY(take_le(m, k, &size));
    if (size > m->n - m->at)
        return heedi_pickle_bad(m, "a frame that is longer than the pickle");
    return HEED_OK;
}

static heed_status op_constant(heedi_pickle *m, int kind)
{
    return heedi_pickle_push(m,
                             (heedi_pickled){.kind = (heedi_pickle_kind)kind});
}

static heed_status op_true(heedi_pickle *m, int i)
{
    return heedi_pickle_push(m, (heedi_pickled){.kind = HEEDI_P_BOOL, .i = i});
}

static heed_status op_count(heedi_pickle *m, int k)
{
    uint64_t x;
    HEEDI_TRY(take_le(m, k, &x));
    return heedi_pickle_push(
        m, (heedi_pickled){.kind = HEEDI_P_INT, .i = (int64_t)x});
}

/* k bytes, the highest bit of which is the sign. */
static heed_status signed_int(heedi_pickle *m, int k)
{
    uint64_t x = 0;
    HEEDI_TRY(take_le(m, k, &x));
    if (k > 0 && k < 8 && x >> (8 * k - 1))
        x -= (uint64_t)1 << 8 * k;
    return heedi_pickle_push(
        m, (heedi_pickled){.kind = HEEDI_P_INT, .i = (int64_t)x});
}

static heed_status op_long(heedi_pickle *m, int k)
{
    uint64_t bytes;
    HEEDI_TRY(take_le(m, k, &bytes));
    if (bytes > 8)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: byte %zu of the pickle: an integer of %llu "
                          "bytes, more than 8",
                          m->path, m->at, (unsigned long long)bytes);
    return signed_int(m, (int)bytes);
}

static heed_status op_float(heedi_pickle *m, int k)
{
    const unsigned char *p;
    HEEDI_TRY(take(m, (uint64_t)k, &p));
    return heedi_pickle_push(m, (heedi_pickled){.kind = HEEDI_P_FLOAT});
}

static heed_status op_text(heedi_pickle *m, int k)
{
    uint64_t len;
    const unsigned char *p;
    HEEDI_TRY(take_le(m, k, &len));
    HEEDI_TRY(take(m, len, &p));
    if (len > UINT32_MAX)
        return heedi_pickle_bad(m, "a text of more than 4 GiB");
    if (heedi_utf8_check((const char *)p, (size_t)len) != len)
        return heedi_pickle_bad(m, "a text that is not valid UTF-8");
    return heedi_pickle_push(
        m, (heedi_pickled){HEEDI_P_STR, (uint32_t)len, p - m->p});
}

static heed_status op_tuple_of(heedi_pickle *m, int n)
{
    for (size_t i = 1; i <= (size_t)n; i++)
        if (m->n_stack < i || m->stack[m->n_stack - i].kind == HEEDI_P_MARK)
            return heedi_pickle_bad(m, "nothing is on the stack");
    return heedi_pickle_tuple(m, (size_t)n, false);
}

static heed_status op_tuple(heedi_pickle *m, int k)
{
    size_t n;
    (void)k;
    HEEDI_TRY(above_mark(m, &n));
    return heedi_pickle_tuple(m, n, true);
}

static heed_status op_dict(heedi_pickle *m, int k)
{
    heedi_pickled v;
    (void)k;
    HEEDI_TRY(heedi_pickle_dict(m, false, &v));
    return heedi_pickle_push(m, v);
}

/* The value below the mark, or below n values without one. */
static heed_status below(heedi_pickle *m, size_t n, heedi_pickle_kind kind,
                         heedi_pickled *out)
{
    if (m->n_stack <= n || m->stack[m->n_stack - 1 - n].kind != kind)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: byte %zu of the pickle: items of what is not "
                          "%s",
                          m->path, m->at, heedi_pickle_kind_name(kind));
    *out = m->stack[m->n_stack - 1 - n];
    return HEED_OK;
}

static heed_status op_append(heedi_pickle *m, int k)
{
    heedi_pickled item, list;
    (void)k;
    HEEDI_TRY(heedi_pickle_pop(m, &item));
    return below(m, 0, HEEDI_P_LIST, &list);
}

static heed_status op_appends(heedi_pickle *m, int k)
{
    size_t n;
    heedi_pickled list;
    (void)k;
    HEEDI_TRY(above_mark(m, &n));
    m->n_stack -= n + 1;
    return below(m, 0, HEEDI_P_LIST, &list);
}

static heed_status op_setitem(heedi_pickle *m, int k)
{
    heedi_pickled dict;
    (void)k;
    HEEDI_TRY(below(m, 2, HEEDI_P_DICT, &dict));
    for (size_t i = 1; i <= 2; i++)
        if (m->stack[m->n_stack - i].kind == HEEDI_P_MARK)
            return heedi_pickle_bad(m, "nothing is on the stack");
    return heedi_pickle_items(m, 1, dict);
}

static heed_status op_setitems(heedi_pickle *m, int k)
{
    size_t n;
    heedi_pickled dict;
    (void)k;
    HEEDI_TRY(above_mark(m, &n));
    if (n % 2 != 0)
        return heedi_pickle_bad(m, "a key without a value");
    HEEDI_TRY(below(m, n + 1, HEEDI_P_DICT, &dict));
    HEEDI_TRY(heedi_pickle_items(m, n / 2, dict));
    m->n_stack--;
    return HEED_OK;
}

static heed_status op_put(heedi_pickle *m, int k)
{
    uint64_t at;
    HEEDI_TRY(take_le(m, k, &at));
    return heedi_pickle_put(m, at);
}

static heed_status op_memoize(heedi_pickle *m, int k)
{
    (void)k;
    return heedi_pickle_put(m, m->n_memo);
}

static heed_status op_get(heedi_pickle *m, int k)
{
    uint64_t at;
    HEEDI_TRY(take_le(m, k, &at));
    if (at >= m->n_memo)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: byte %zu of the pickle: nothing was put at "
                          "place %llu of the memo",
                          m->path, m->at, (unsigned long long)at);
    return heedi_pickle_push(m, m->memo[at]);
}

static heed_status line(heedi_pickle *m, heedi_str *out)
{
    const unsigned char *p = m->p + m->at, *end = memchr(p, '\n', m->n - m->at);
    if (!end)
        return heedi_pickle_bad(m, "a name without an end");
    *out = (heedi_str){(const char *)p, (size_t)(end - p)};
    m->at += out->len + 1;
    return HEED_OK;
}

static heed_status op_global(heedi_pickle *m, int k)
{
    heedi_str module, name;
    heedi_pickled v;
    (void)k;
    HEEDI_TRY(line(m, &module));
    HEEDI_TRY(line(m, &name));
    HEEDI_TRY(heedi_pickle_global(m, module, name, &v));
    return heedi_pickle_push(m, v);
}

static heed_status op_stack_global(heedi_pickle *m, int k)
{
    heedi_pickled module, name, v;
    (void)k;
    HEEDI_TRY(heedi_pickle_pop(m, &name));
    HEEDI_TRY(heedi_pickle_pop(m, &module));
    if (name.kind != HEEDI_P_STR || module.kind != HEEDI_P_STR)
        return heedi_pickle_bad(m, "the name of a callable is not a text");
    HEEDI_TRY(heedi_pickle_global(m, heedi_pickle_str(m, module),
                                  heedi_pickle_str(m, name), &v));
    return heedi_pickle_push(m, v);
}

static heed_status op_persid(heedi_pickle *m, int k)
{
    heedi_pickled id, v;
    (void)k;
    HEEDI_TRY(heedi_pickle_pop(m, &id));
    HEEDI_TRY(heedi_pickle_storage(m, id, &v));
    return heedi_pickle_push(m, v);
}

static heed_status op_reduce(heedi_pickle *m, int k)
{
    heedi_pickled args, f, v;
    (void)k;
    HEEDI_TRY(heedi_pickle_pop(m, &args));
    HEEDI_TRY(heedi_pickle_pop(m, &f));
    HEEDI_TRY(heedi_pickle_call(m, f, args, &v));
    return heedi_pickle_push(m, v);
}

/* Of an OrderedDict, the attribute _metadata: versions of modules. */
static heed_status op_build(heedi_pickle *m, int k)
{
    heedi_pickled state, of;
    (void)k;
    HEEDI_TRY(heedi_pickle_pop(m, &state));
    HEEDI_TRY(below(m, 0, HEEDI_P_DICT, &of));
    if (!of.n || state.kind != HEEDI_P_DICT)
        return heedi_pickle_bad(m, "attributes of what is no OrderedDict");
    const size_t at = heedi_pickle_first(m, state);
    const heedi_pickled name = m->cell[at].v;
    if (at == 0)
        return HEED_OK;
    if (name.kind != HEEDI_P_STR || m->cell[at].next != 0)
        return heedi_pickle_bad(m, "attributes other than _metadata");
    const heedi_str s = heedi_pickle_str(m, name);
    if (s.len == 9 && memcmp(s.s, "_metadata", 9) == 0)
        return HEED_OK;
    return heedi_fail(m->ctx, HEED_ENOTSUP,
                      "%s: the pickle sets the attribute '%.*s'", m->path,
                      HEEDI_NAME(s));
}

typedef struct opcode {
    heed_status (*run)(heedi_pickle *m, int arg);
    int arg;
} opcode;

static const opcode table[256] = {
    [0x80] = {op_proto, 1},              /* PROTO */
    [0x95] = {op_frame, 8},              /* FRAME */
    ['N'] = {op_constant, HEEDI_P_NONE}, /* NONE */
    [0x88] = {op_true, 1},               /* NEWTRUE */
    [0x89] = {op_true, 0},               /* NEWFALSE */
    ['K'] = {op_count, 1},               /* BININT1 */
    ['M'] = {op_count, 2},               /* BININT2 */
    ['J'] = {signed_int, 4},             /* BININT */
    [0x8a] = {op_long, 1},               /* LONG1 */
    [0x8b] = {op_long, 4},               /* LONG4 */
    ['G'] = {op_float, 8},               /* BINFLOAT */
    [0x8c] = {op_text, 1},               /* SHORT_BINUNICODE */
    ['X'] = {op_text, 4},                /* BINUNICODE */
    [0x8d] = {op_text, 8},               /* BINUNICODE8 */
    ['('] = {op_constant, HEEDI_P_MARK}, /* MARK */
    [')'] = {op_tuple_of, 0},            /* EMPTY_TUPLE */
    [0x85] = {op_tuple_of, 1},           /* TUPLE1 */
    [0x86] = {op_tuple_of, 2},           /* TUPLE2 */
    [0x87] = {op_tuple_of, 3},           /* TUPLE3 */
    ['t'] = {op_tuple, 0},               /* TUPLE */
    [']'] = {op_constant, HEEDI_P_LIST}, /* EMPTY_LIST */
    ['a'] = {op_append, 0},              /* APPEND */
    ['e'] = {op_appends, 0},             /* APPENDS */
    ['}'] = {op_dict, 0},                /* EMPTY_DICT */
    ['s'] = {op_setitem, 0},             /* SETITEM */
    ['u'] = {op_setitems, 0},            /* SETITEMS */
    ['q'] = {op_put, 1},                 /* BINPUT */
    ['r'] = {op_put, 4},                 /* LONG_BINPUT */
    [0x94] = {op_memoize, 0},            /* MEMOIZE */
    ['h'] = {op_get, 1},                 /* BINGET */
    ['j'] = {op_get, 4},                 /* LONG_BINGET */
    ['c'] = {op_global, 0},              /* GLOBAL */
    [0x93] = {op_stack_global, 0},       /* STACK_GLOBAL */
    ['Q'] = {op_persid, 0},              /* BINPERSID */
    ['R'] = {op_reduce, 0},              /* REDUCE */
    ['b'] = {op_build, 0},               /* BUILD */
};

/* Opcodes that no tensor needs. */
static const char *const refused[256] = {
    ['0'] = "POP",
    ['1'] = "POP_MARK",
    ['2'] = "DUP",
    ['F'] = "FLOAT",
    ['I'] = "INT",
    ['L'] = "LONG",
    ['P'] = "PERSID",
    ['S'] = "STRING",
    ['T'] = "BINSTRING",
    ['U'] = "SHORT_BINSTRING",
    ['V'] = "UNICODE",
    ['B'] = "BINBYTES",
    ['C'] = "SHORT_BINBYTES",
    [0x8e] = "BINBYTES8",
    [0x96] = "BYTEARRAY8",
    [0x97] = "NEXT_BUFFER",
    [0x98] = "READONLY_BUFFER",
    ['d'] = "DICT",
    ['l'] = "LIST",
    ['g'] = "GET",
    ['p'] = "PUT",
    ['i'] = "INST",
    ['o'] = "OBJ",
    [0x81] = "NEWOBJ",
    [0x92] = "NEWOBJ_EX",
    [0x82] = "EXT1",
    [0x83] = "EXT2",
    [0x84] = "EXT4",
    [0x8f] = "EMPTY_SET",
    [0x90] = "ADDITEMS",
    [0x91] = "FROZENSET",
};

static heed_status finish(heedi_pickle *m)
{
    HEEDI_TRY(heedi_pickle_pop(m, &m->root));
    if (m->n_stack != 0)
        return heedi_pickle_bad(m, "more than one value at the end");
    if (m->at != m->n)
        return heedi_pickle_bad(m, "bytes after the end");
    return HEED_OK;
}

heed_status heedi_pickle_read(heedi_pickle *m)
{
    const unsigned char *p;
    size_t unused;
    HEEDI_TRY(heedi_pickle_cells(m, 1, &unused));
    if (m->n < 2 || m->p[0] != 0x80)
        return heedi_pickle_bad(m, "it does not start with a protocol");
    for (;;) {
        HEEDI_TRY(take(m, 1, &p));
        if (*p == '.')
            return finish(m);
        const opcode *o = &table[*p];
        if (refused[*p])
            return heedi_fail(m->ctx, HEED_ENOTSUP,
                              "%s: the pickle uses %s, which no tensor needs",
                              m->path, refused[*p]);
        if (!o->run)
            return heedi_fail(m->ctx, HEED_EFORMAT,
                              "%s: byte %zu of the pickle: no opcode is 0x%02x",
                              m->path, m->at - 1, *p);
        HEEDI_TRY(o->run(m, o->arg));
    }
}
