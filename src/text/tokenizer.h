/* tokenizer.h - a tokenizer from inside: its steps, its model, a call's room.
 *
 *   text -> added tokens -> normalizer -> added tokens -> pre-tokenizer
 *        -> model -> post-processor -> ids
 *
 * A normalizer, pre-tokenizer or decoder is a list of steps, a step a row of
 * one of the three tables of parts with its fields. */
#ifndef HEEDI_TOKENIZER_H
#define HEEDI_TOKENIZER_H

#include <jansson.h>
#include <stdbool.h>

#include "arena.h"
#include "map.h"
#include "merge.h"
#include "regex.h"
#include "rope.h"
#include "text.h"

typedef enum heedi_behavior {
    HEEDI_ISOLATED,
    HEEDI_REMOVED,
    HEEDI_CONTIGUOUS,
    HEEDI_WITH_PREVIOUS,
    HEEDI_WITH_NEXT,
} heedi_behavior;

enum { HEEDI_PREPEND_NEVER, HEEDI_PREPEND_FIRST, HEEDI_PREPEND_ALWAYS };

typedef struct heedi_step heedi_step;
typedef struct heedi_work heedi_work;
typedef struct heedi_decoded heedi_decoded;
typedef struct heedi_model heedi_model;

/* One part of a tokenizer.json. */
typedef struct heedi_part {
    const char *name;
    const char *fields; /* that it may have, each between spaces */
    heed_status (*read)(heed_tokenizer *t, heedi_step *s, const json_t *j);
    heed_status (*run)(heedi_work *w, const heedi_step *s);
    heed_status (*decode)(heedi_decoded *d, const heedi_step *s);
} heedi_part;

/* A part with its fields; each part uses those it has. */
struct heedi_step {
    const heedi_part *part;
    pcre2_code *re;  /* pattern, or NULL: the string `what` */
    heedi_str what;  /* pattern, suffix */
    heedi_str with;  /* content, replacement */
    int behavior;    /* heedi_behavior */
    bool invert;     /* matches and gaps change places */
    bool cut;        /* use_regex, split, individual_digits */
    int prefix;      /* HEEDI_PREPEND_... */
    int left, right; /* how much Strip takes */
    int form;        /* options of utf8proc */
    bool clean, ideographs, strip, lower; /* of BertNormalizer */
    bool (*is)(uint32_t c);               /* the characters to cut at */
};

typedef struct heedi_steps {
    heedi_step *v;
    size_t n, cap;
} heedi_steps;

enum {
    HEEDI_IN_MODEL = 1, /* the model may produce it */
    HEEDI_ADDED = 2,
    HEEDI_SPECIAL = 4,
    HEEDI_FILLER = 8, /* up to the size of the embedding; never matched */
    HEEDI_BYTE = 16,  /* <0xHH> */
};

typedef struct heedi_added {
    heedi_str text; /* as matched: normalised if `normalized` */
    int32_t id;
    bool lstrip, rstrip, single_word, normalized, special;
} heedi_added;

typedef struct heedi_ids {
    int32_t *v;
    size_t n, cap;
} heedi_ids;

/* A place of the template for two texts. */
enum { HEEDI_FIRST_TEXT = -1, HEEDI_SECOND_TEXT = -2 };
typedef struct heedi_slot {
    int32_t id; /* of a token, or one of the texts */
    uint8_t segment;
} heedi_slot;

typedef struct heedi_slots {
    heedi_slot *v; /* NULL: the two texts, of segments 0 and 1 */
    size_t n, cap;
} heedi_slots;

/* A kind of model: how a piece becomes tokens. */
typedef struct heedi_model_kind {
    const char *name;
    /* bytes [from, to) of w->text */
    heed_status (*encode)(heedi_work *w, size_t from, size_t to);
} heedi_model_kind;

struct heedi_model {
    const heedi_model_kind *kind;
    heedi_names names; /* of what the model may produce */
    heedi_map merges;  /* left << 32 | right to rank */
    int32_t *merged;   /* by rank */
    uint32_t *rank;    /* by id, from the scores; NULL with merges */
    size_t n_merges;
    heedi_map meet;       /* characters that follow each other in a token */
    bool cuts;            /* `meet` is complete */
    int32_t unk;          /* -1: none */
    int32_t byte_id[256]; /* of <0xHH>; in byte mode of the character */
    bool fuse_unk, byte_fallback, ignore_merges;
    bool
        byte_mode; /* pieces are bytes: ByteLevel, the last step, is left out */
    heedi_str prefix, suffix;
    heedi_trie begin, go_on; /* of WordPiece: of a word, after its begin */
    int32_t max_chars;       /* of a word that is not unknown */
};

struct heed_tokenizer {
    heed_ctx *ctx; /* whose memory it has */
    heedi_arena arena;
    heed_tokenizer_info info;
    heedi_str *str; /* by id; s == NULL: no such token */
    uint8_t *flag;  /* by id */
    heedi_added *added;
    size_t n_added;
    heedi_trie raw, normalized; /* of added tokens, by `normalized` */
    heedi_steps normalizer, pre, decoder;
    bool decoder_given; /* without one, tokens are joined with spaces */
    heedi_model model;
    heedi_ids front, back; /* what the post-processor adds */
    heedi_slots pair;      /* the same, and the two texts */
};

typedef struct heedi_piece {
    uint32_t start, end;
} heedi_piece;

typedef struct heedi_pieces {
    heedi_piece *v;
    size_t n, cap;
} heedi_pieces;

typedef struct heedi_hit {
    int32_t id;
    heedi_span span;
    bool added;
    uint8_t segment;
} heedi_hit;

/* What one call of heed_encode() needs. */
struct heedi_work {
    heed_ctx *ctx;
    const heed_tokenizer *t;
    bool special;       /* special tokens are recognised */
    bool first;         /* the text begins where the input does */
    uint8_t segment;    /* of the tokens that come */
    uint32_t base;      /* bytes of the texts before this one */
    heedi_rope norm;    /* text between added tokens, normalised */
    heedi_rope text;    /* text of the pieces */
    heedi_rope next;    /* what a step writes */
    heedi_pieces piece; /* of text */
    heedi_pieces cut;   /* what a step writes */
    heedi_merger merger;
    heedi_matcher matcher;
    char *mapped; /* a piece in the characters of the vocabulary */
    size_t mapped_cap;
    heedi_hit *hit;
    size_t n_hits, cap_hits;
    int64_t dropped;      /* bytes without a token */
    int32_t seen_special; /* left as text; -1: none */
};

/* Tokens that are being decoded: bytes, each of one token, in items. */
struct heedi_decoded {
    heed_ctx *ctx;
    const heed_tokenizer *t;
    const int32_t *id; /* the tokens */
    char *s, *s2;
    uint32_t *owner, *owner2; /* of each byte: index of its token */
    size_t n, n2, cap, cap2, ocap, ocap2;
    size_t *item, *item2; /* where items end */
    size_t items, items2, icap, icap2;
    heedi_matcher matcher;
    bool alone; /* for display: no step that depends on the place */
};

/* ---- tokenizer.c ---- */
heed_status heedi_tokenizer_new(heed_tokenizer **out, heed_ctx *ctx,
                                const char *path);
/* Room for n tokens; str[id] is set by the caller, len bytes copied. */
heed_status heedi_tokenizer_room(heed_tokenizer *t, size_t n);
/* A copy in the arena, ended by NUL. */
heed_status heedi_str_copy(heed_tokenizer *t, heedi_str *out, const char *s,
                           size_t len);
/* A new step, zeroed, at the end. */
heed_status heedi_steps_add(heed_tokenizer *t, heedi_steps *list,
                            heedi_step step);
heed_status heedi_ids_add(heed_ctx *ctx, heedi_ids *list, int32_t id);
heed_status heedi_slots_add(heed_ctx *ctx, heedi_slots *list, int32_t id,
                            int segment);

/* ---- from_json.c, config.c ---- */
/* A tokenizer.json in memory; path is for messages. */
heed_status heedi_tokenizer_from_text(heed_tokenizer **out, heed_ctx *ctx,
                                      const char *path, heedi_str text);
/* The same as a tree, of the file at path; `config`: what lies beside it is
 * read, too. */
heed_status heedi_tokenizer_from_tree(heed_tokenizer **out, heed_ctx *ctx,
                                      const char *path, json_t *j, bool config);
/* The JSON file of that name in the folder of path; NULL: there is none. */
heed_status heedi_json_beside(json_t **out, heed_ctx *ctx, const char *path,
                              const char *name);
/* A special token, which is a string or an object with `content`; or NULL. */
const json_t *heedi_special_text(const json_t *j, const char *key);
/* bos_token, add_bos_token and the like of the tokenizer_config.json beside
 * path, if there is one. */
heed_status heedi_config_read(heed_tokenizer *t, const char *path);
/* Ends the loading: what the tokenizer says of BOS and EOS. */
void heedi_config_done(heed_tokenizer *t);
/* Put id at the front (the back) of what is added, or take it away. */
heed_status heedi_set_front(heed_tokenizer *t, int32_t id, bool on);
heed_status heedi_set_back(heed_tokenizer *t, int32_t id, bool on);

/* ---- added.c ---- */
/* Make the tries, when t->added and the normalizer are complete. */
heed_status heedi_added_build(heed_tokenizer *t);
/* The next added token in s[*from..n) among those of `trie`, or NULL; [start,
 * end) is what it takes. `taken` is where the one before ended. */
const heedi_added *heedi_added_next(heedi_work *w, const heedi_trie *trie,
                                    const char *s, size_t n, size_t *from,
                                    size_t taken, size_t *start, size_t *end);

/* ---- encode.c ---- */
heed_status heedi_hit_add(heedi_work *w, int32_t id, heedi_span span,
                          bool added);
heed_status heedi_normalize(heedi_work *w);
void heedi_work_free(heedi_work *w);

/* w->next is what w->norm becomes: the end of every normalizer. */
heed_status heedi_normalized(heedi_work *w);

/* ---- cut.c: pieces at matches ---- */
heed_status heedi_cut_regex(heedi_work *w, const heedi_step *s);
heed_status heedi_cut_chars(heedi_work *w, const heedi_step *s);

/* ---- models ---- */
extern const heedi_model_kind heedi_bpe;     /* bpe.c */
extern const heedi_model_kind heedi_spm_bpe; /* spm.c */
heed_status heedi_bpe_read(heed_tokenizer *t, const json_t *j);
heed_status heedi_bpe_room(heed_tokenizer *t, size_t n_merges);
heed_status heedi_bpe_merge(heed_tokenizer *t, size_t rank, heedi_str left,
                            heedi_str right);
/* Ends the loading: byte mode, when the last pre-tokenizer step allows it. */
heed_status heedi_bpe_finish(heed_tokenizer *t);
/* Finds the byte tokens, which have the flag HEEDI_BYTE. */
void heedi_spm_bytes(heed_tokenizer *t);
/* The byte that "<0xHH>" names, or -1. */
int heedi_named_byte(const char *s, size_t n);
heed_status heedi_spm_ranks(heed_tokenizer *t, const float *score, size_t n);
extern const heedi_model_kind heedi_wordpiece; /* wordpiece.c */
heed_status heedi_wordpiece_read(heed_tokenizer *t, const json_t *j);
/* Ends the loading, when names, prefix and max_chars are there. */
heed_status heedi_wordpiece_finish(heed_tokenizer *t, int32_t unk);

extern const heedi_model_kind heedi_world; /* world.c */
/* Ends the loading, when str and flag are there. HEED_EFORMAT: two tokens are
 * the same. */
heed_status heedi_world_finish(heed_tokenizer *t);
/* The inside of a Python literal of a string (as UTF-8) or of bytes; out has
 * room for s.len. HEED_EFORMAT names an escape that is none. */
heed_status heedi_world_unescape(heed_ctx *ctx, heedi_str s, bool bytes,
                                 char *out, size_t *len);
/* from_world.c: one in memory; path is for messages. */
heed_status heedi_tokenizer_from_lines(heed_tokenizer **out, heed_ctx *ctx,
                                       const char *path, heedi_str text);

/* ---- meet.c ---- */
heed_status heedi_meet_build(heed_tokenizer *t);
/* No token has a before b, so no merge joins them. */
bool heedi_never_meet(const heedi_model *m, uint32_t a, uint32_t b);

/* ---- the parts ---- */
extern const heedi_part heedi_normalizers[];    /* normalize.c */
extern const heedi_part heedi_pre_tokenizers[]; /* pretokenize.c */
extern const heedi_part heedi_decoders[];       /* decode.c */
heed_status heedi_byte_level_read(heed_tokenizer *t, heedi_step *s,
                                  const json_t *j); /* bytelevel.c */
heed_status heedi_byte_level_cut(heedi_work *w, const heedi_step *s);
heed_status heedi_byte_level_decode(heedi_decoded *d, const heedi_step *s);
heed_status heedi_bert_normalizer_read(heed_tokenizer *t, heedi_step *s,
                                       const json_t *j); /* bert.c */
heed_status heedi_bert_normalize(heedi_work *w, const heedi_step *s);
heed_status heedi_bert_cut(heedi_work *w, const heedi_step *s);
heed_status heedi_wordpiece_decoder_read(heed_tokenizer *t, heedi_step *s,
                                         const json_t *j);
heed_status heedi_wordpiece_decode(heedi_decoded *d, const heedi_step *s);
heed_status heedi_replace_read(heed_tokenizer *t, heedi_step *s,
                               const json_t *j); /* normalize.c */
heed_status heedi_unicode_form(heedi_work *w, const heedi_step *s);
heed_status heedi_lowercase(heedi_work *w, const heedi_step *s);
heed_status heedi_post_read(heed_tokenizer *t, const json_t *j, int depth);
/* cls A sep of segment 0, B sep of segment 1. */
heed_status heedi_bert_pair(heed_tokenizer *t, int32_t cls, int32_t sep);
/* The row of that name, which exists. */
const heedi_part *heedi_part_named(const heedi_part *rows, const char *name);
/* The pattern of GPT-2. */
extern const char heedi_gpt2_pattern[];

/* ---- decode.c ---- */
/* Steps write bytes, each with its token, and end items; then swap. */
heed_status heedi_decoded_put(heedi_decoded *d, const char *s, size_t n,
                              uint32_t owner);
heed_status heedi_decoded_end(heedi_decoded *d);
void heedi_decoded_swap(heedi_decoded *d);
/* In every item, s->what (or s->re) by s->with. */
heed_status heedi_decoded_replace(heedi_decoded *d, const heedi_step *s);
/* The bytes of n tokens in d->s, with owners. alone: each as it is shown. */
heed_status heedi_decode(heedi_decoded *d, heed_ctx *ctx,
                         const heed_tokenizer *t, const int32_t *id, size_t n,
                         bool alone);
void heedi_decoded_free(heedi_decoded *d);

/* ---- tokens.c ---- */
/* Tokens with their display text taken from `shown`, whose owners are the
 * hits; text is copied, no word goes across its byte `cut`. */
heed_status heedi_tokens_make(heed_tokens **out, heed_ctx *ctx,
                              const heed_tokenizer *t, const heedi_hit *hit,
                              size_t n, const heedi_decoded *shown,
                              const char *text, size_t len, size_t cut);

/* ---- words.c ---- */
/* word[i]: the word of byte i, counted from `first`, or -1. Returns the number
 * of the next word. */
int32_t heedi_words(int32_t *word, const char *s, size_t n, int32_t first);

#endif
