/* Texts and token ids become sequences. */
#include "cli_input.h"

#include <stdlib.h>
#include <string.h>

/* ---- texts ---- */

heed_status heedi_cli_texts_add(heedi_cli *c, heedi_cli_texts *t, char *s,
                                int64_t len)
{
    void *v = realloc(t->v, ((size_t)t->n + 1) * sizeof *t->v);
    if (v)
        t->v = v;
    if (!s || !v) {
        free(s);
        return heedi_cli_fail(c, HEED_ENOMEM, "no memory for the input");
    }
    t->v[t->n].s = s;
    t->v[t->n++].len = len;
    return HEED_OK;
}

void heedi_cli_texts_free(heedi_cli_texts *t)
{
    for (int64_t i = 0; i < t->n; i++)
        free(t->v[i].s);
    free(t->v);
    *t = (heedi_cli_texts){0};
}

/* Valid and not empty; a bad file is not the same as a bad argument. */
static heed_status check_text(heedi_cli *c, const char *name, const char *s,
                              int64_t len, heed_status bad)
{
    int64_t at = heedi_cli_utf8_bad(s, len);
    if (len == 0)
        return heedi_cli_fail(c, HEED_EINVAL, "%s: the text is empty", name);
    if (at >= 0)
        return heedi_cli_fail(c, bad, "%s: byte %lld is no valid UTF-8", name,
                              (long long)at);
    return HEED_OK;
}

static heed_status read_one(heedi_cli *c, heedi_cli_texts *out,
                            const char *path)
{
    char *s;
    int64_t len;
    HEEDI_TRY(heedi_cli_read_file(c, path, &s, &len));
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    heed_status st = check_text(c, name, s, len, HEED_EFORMAT);
    if (st != HEED_OK) {
        free(s);
        return st;
    }
    return heedi_cli_texts_add(c, out, s, len);
}

/* Options that are about texts; what is explained of an image is one output.
 * it: what they are not for. */
static heed_status check_image(heedi_cli *c, const char *it)
{
    const heedi_args *a = &c->args;
    const struct {
        bool given;
        const char *name;
    } text[] = {
        {a->bos, "bos"},
        {a->no_bos, "no-bos"},
        {a->special, "special"},
        {a->truncate != 0, "truncate"},
        {a->pair != NULL, "pair"},
        {a->at.n != 0, "at"},
        {a->generated != NULL, "generated"},
        {a->target_ids.n > 0, "target-ids"},
        {a->new_tokens > 0, "new-tokens"},
        {a->group != NULL, "group"},
    };
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        if (text[i].given)
            return heedi_cli_fail(c, HEED_EINVAL, "--%s: not with %s",
                                  text[i].name, it);
    return HEED_OK;
}

heed_status heedi_cli_texts_read(heedi_cli *c, heedi_cli_texts *out)
{
    const heedi_args *a = &c->args;
    *out = (heedi_cli_texts){0};
    if (a->operand && strcmp(a->operand, "-") != 0)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "'%s': unexpected argument; a text goes after -p",
                              a->operand);
    int given = (a->prompt != NULL) + (a->input_file != NULL) + (a->ids.n > 0) +
                (a->dataset != NULL) + (a->operand != NULL) +
                (a->image != NULL);
    const char *all = c->command->sets & HEEDI_SET_MANY
                          ? "-p, -f, -, --ids, --image or --dataset"
                      : c->command->sets & HEEDI_SET_IMAGE
                          ? "-p, -f, -, --ids or --image"
                          : "-p, -f, - or --ids";
    if (given == 0)
        return heedi_cli_fail(c, HEED_EINVAL, "no input: give one of %s", all);
    if (given > 1)
        return heedi_cli_fail(c, HEED_EINVAL, "%d inputs: give only one of %s",
                              given, all);
    if (a->pair && a->ids.n > 0)
        return heedi_cli_fail(c, HEED_EINVAL, "--pair: not with --ids");
    if (a->pair)
        HEEDI_TRY(check_text(c, "--pair", a->pair, (int64_t)strlen(a->pair),
                             HEED_EINVAL));
    if (a->bos && a->no_bos)
        return heedi_cli_fail(c, HEED_EINVAL, "--bos: not with --no-bos");
    if (a->ids.n > 0 && (a->bos || a->no_bos))
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--%s: --ids are taken as they are",
                              a->bos ? "bos" : "no-bos");
    if (a->image)
        HEEDI_TRY(check_image(c, "--image"));
    if (a->ids.n > 0 || a->image) {
        out->v = heedi_cli_calloc(c, 1, sizeof *out->v);
        out->n = out->v != NULL;
        return out->v ? HEED_OK : HEED_ENOMEM;
    }
    if (a->dataset)
        return heedi_cli_dataset_read(c, out);
    if (!a->prompt)
        return read_one(c, out, a->input_file ? a->input_file : "-");
    int64_t len = (int64_t)strlen(a->prompt);
    HEEDI_TRY(check_text(c, "--prompt", a->prompt, len, HEED_EINVAL));
    return heedi_cli_texts_add(c, out, strdup(a->prompt), len);
}

/* ---- tokens ---- */

int32_t *heedi_cli_ids(heedi_cli *c, const heed_tokens *t)
{
    int32_t *id = heedi_cli_calloc(c, t->n, sizeof *id);
    for (int64_t i = 0; id && i < t->n; i++)
        id[i] = t->token[i].id;
    return id;
}

/* Tokens of ids given as an option; with a model they must be its own. */
static heed_status tokens_of(heedi_cli *c, const char *name,
                             const heedi_ints *ids, heed_tokens **out)
{
    int64_t vocab = c->model ? heed_model_about(c->model)->vocab : 0;
    int32_t *id = heedi_cli_calloc(c, ids->n, sizeof *id);
    if (!id)
        return HEED_ENOMEM;
    heed_status st = HEED_OK;
    for (int64_t i = 0; i < ids->n && st == HEED_OK; i++) {
        id[i] = (int32_t)ids->v[i];
        if (vocab > 0 && ids->v[i] >= vocab)
            st = heedi_cli_fail(c, HEED_EINVAL,
                                "%s: %lld is beyond the vocabulary of %lld "
                                "tokens",
                                name, (long long)ids->v[i], (long long)vocab);
    }
    if (st == HEED_OK) {
        st = heed_tokens_of(out, c->ctx, c->tokenizer, id, ids->n);
        if (st != HEED_OK)
            heedi_cli_lib(c, st);
    }
    free(id);
    return st;
}

/* The longest input allowed; 0: any. --context may exceed what the model was
 * trained for: rotary types that scale with the length are made for it, and
 * the library refuses what a table of positions cannot hold. */
static int64_t limit_of(const heedi_cli *c)
{
    int64_t model = c->model ? heed_model_about(c->model)->context : 0;
    int64_t asked = c->args.context;
    return asked > 0 ? asked : model > 0 ? model : 0;
}

/* Cut a prompt to n tokens. What the tokenizer added at either end stays. */
static heed_status cut(heedi_cli *c, heedi_cli_input *in, int64_t n)
{
    const heed_tokens *f = in->full;
    int64_t front = 0, back = 0;
    while (front < f->n && f->token[front].is_added)
        front++;
    while (back < f->n - front && f->token[f->n - 1 - back].is_added)
        back++;
    int64_t keep = n - front - back, middle = f->n - front - back;
    if (keep <= 0)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--truncate: no token of the text is left");
    in->kept = heedi_cli_calloc(c, n, sizeof *in->kept);
    if (!in->kept)
        return HEED_ENOMEM;
    int64_t skip = c->args.truncate == HEEDI_TRUNCATE_LEFT ? middle - keep : 0;
    memcpy(in->kept, f->token, (size_t)front * sizeof *in->kept);
    memcpy(in->kept + front, f->token + front + skip,
           (size_t)keep * sizeof *in->kept);
    memcpy(in->kept + front + keep, f->token + f->n - back,
           (size_t)back * sizeof *in->kept);
    in->tokens.token = in->kept;
    in->tokens.n = n;
    heedi_cli_warn(c, "input of %lld tokens: %lld dropped at the %s",
                   (long long)f->n, (long long)(f->n - n),
                   skip ? "left" : "right");
    return HEED_OK;
}

static heed_status fit(heedi_cli *c, heedi_cli_input *in, int64_t room)
{
    int64_t limit = limit_of(c), n = in->full->n;
    in->tokens = *in->full;
    if (n == 0)
        return heedi_cli_fail(c, HEED_EINVAL, "input: the text has no tokens");
    if (limit == 0 || n <= limit - room)
        return HEED_OK;
    if (c->args.truncate && limit > room && in->paired)
        return heedi_cli_fail(c, HEED_EINVAL, "--truncate: not with --pair");
    if (c->args.truncate && limit > room)
        return cut(c, in, limit - room);
    if (room > 0)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "input of %lld tokens and %lld to come: at most "
                              "%lld are allowed; --truncate left|right",
                              (long long)n, (long long)room, (long long)limit);
    const bool image = c->model && heed_model_about(c->model)->image_height > 0;
    return heedi_cli_fail(
        c, HEED_EINVAL, "input of %lld tokens: at most %lld are allowed; %s",
        (long long)n, (long long)limit,
        image ? "an image is not truncated" : "--truncate left|right");
}

/* A tokenizer of another model makes tokens that this one does not have. */
static heed_status check_ids(heedi_cli *c, const heed_tokens *t)
{
    int64_t vocab = c->model ? heed_model_about(c->model)->vocab : INT64_MAX;
    for (int64_t i = 0; i < t->n; i++)
        if (t->token[i].id >= vocab)
            return heedi_cli_fail(c, HEED_EFORMAT,
                                  "%s: the tokenizer has token %d, the "
                                  "vocabulary of the model %lld",
                                  c->args.model, (int)t->token[i].id,
                                  (long long)vocab);
    return HEED_OK;
}

/* Read as the model's own files say. */
static heed_status read_image(heedi_cli *c, heedi_cli_input *out)
{
    heed_image *image;
    const heed_model_info *m = heed_model_about(c->model);
    if (m->image_height == 0)
        return heedi_cli_fail(c, HEED_EINVAL, "--image: '%s' models read text",
                              m->family->name);
    HEEDI_LIB(c, heed_image_load(&image, c->ctx, c->args.image));
    memcpy(c->image_sha256, image->source.sha256, sizeof c->image_sha256);
    heed_status st = heed_pixels_of(&out->pixels, c->ctx, image, c->args.model);
    if (st == HEED_OK)
        st = heed_image_tokens(&out->full, c->ctx, c->model, out->pixels);
    if (st != HEED_OK)
        heedi_cli_lib(c, st);
    heed_image_free(c->ctx, image);
    return st;
}

heed_status heedi_cli_made_image(heedi_cli *c, heedi_cli_input *in)
{
    HEEDI_TRY(check_image(c, "a picture, which is made where there is no "
                             "--image"));
    return fit(c, in, 0);
}

/* One text, or two as one sequence. */
static heed_status encode(heedi_cli *c, const char *s, int64_t len,
                          const char *pair, int64_t room, heedi_cli_input *out)
{
    const heedi_args *a = &c->args;
    const heed_encode_options o = {.special = a->special,
                                   .bos = a->bos      ? 1
                                          : a->no_bos ? -1
                                                      : 0,
                                   .pair = pair,
                                   .pair_len =
                                       pair ? (int64_t)strlen(pair) : 0};
    HEEDI_TRY(heedi_cli_tokenizer(c));
    HEEDI_LIB(c, heed_encode(&out->full, c->ctx, c->tokenizer, s, len, &o));
    out->paired = pair != NULL;
    HEEDI_TRY(check_ids(c, out->full));
    return fit(c, out, room);
}

/* Two texts that are compared: each is a sequence of its own. */
static heed_status both(heedi_cli *c, const char *s, int64_t len, int64_t room,
                        heedi_cli_input *out)
{
    const char *pair = c->args.pair;
    heedi_cli_input a = {0}, b = {0};
    heed_status st = encode(c, s, len, NULL, room, &a);
    if (st == HEED_OK)
        st = encode(c, pair, (int64_t)strlen(pair), NULL, room, &b);
    if (st == HEED_OK) {
        st = heed_tokens_pair(&out->joined, c->ctx, &a.tokens, &b.tokens);
        if (st != HEED_OK)
            heedi_cli_lib(c, st);
    }
    heedi_cli_input_free(c, &a);
    heedi_cli_input_free(c, &b);
    if (st == HEED_OK)
        out->tokens = *out->joined;
    return st;
}

static bool compares(const heedi_cli *c)
{
    const int sets = c->command->sets;
    return c->model && !(sets & HEEDI_SET_ATTENTION) &&
           heed_model_about(c->model)->head == HEED_HEAD_EMBEDDING &&
           (sets & HEEDI_SET_TARGET ||
            (sets & HEEDI_SET_CHECK && c->args.pair));
}

static heed_status check_pair(heedi_cli *c)
{
    const heed_model_info *m = c->model ? heed_model_about(c->model) : NULL;
    if (compares(c) && !c->args.pair)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "%s: the model makes embeddings, of which two "
                              "are compared: --pair TEXT gives the second text",
                              c->args.model);
    if (c->args.pair && m && m->head == HEED_HEAD_EMBEDDING &&
        c->command->sets & HEEDI_SET_ATTENTION)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--pair: the model makes embeddings and runs "
                              "each text by itself: attention is of one");
    if (c->args.pair && m && m->n_segments == 0)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--pair: '%s' models take no second text",
                              m->family->name);
    return HEED_OK;
}

heed_status heedi_cli_prompt(heedi_cli *c, const heedi_cli_texts *t, int64_t i,
                             int64_t room, heedi_cli_input *out)
{
    const heedi_args *a = &c->args;
    if (a->image) {
        HEEDI_TRY(read_image(c, out));
        HEEDI_TRY(fit(c, out, room));
        out->n_prompt = out->tokens.n;
        return HEED_OK;
    }
    HEEDI_TRY(check_pair(c));
    if (!t->v[i].s) {
        HEEDI_TRY(tokens_of(c, "--ids", &a->ids, &out->full));
        HEEDI_TRY(fit(c, out, room));
    } else if (compares(c)) {
        HEEDI_TRY(both(c, t->v[i].s, t->v[i].len, room, out));
    } else {
        HEEDI_TRY(encode(c, t->v[i].s, t->v[i].len, a->pair, room, out));
    }
    out->n_prompt = out->tokens.n;
    return HEED_OK;
}

void heedi_cli_input_free(heedi_cli *c, heedi_cli_input *in)
{
    heed_tokens_free(c->ctx, in->joined);
    heed_tokens_free(c->ctx, in->full);
    heed_pixels_free(c->ctx, in->pixels);
    free(in->kept);
    free(in->target);
    *in = (heedi_cli_input){0};
}

/* ---- continuations ---- */

/* Only a model that predicts the next token continues a text. */
static heed_status check_head(heedi_cli *c)
{
    const heed_head h = heed_model_about(c->model)->head;
    const heedi_args *a = &c->args;
    if (h == HEED_HEAD_NEXT || !heedi_cli_has_continuation(a))
        return HEED_OK;
    return heedi_cli_fail(c, HEED_EINVAL,
                          "--%s: a model with a head '%s' continues no text",
                          a->generated          ? "generated"
                          : a->target_ids.n > 0 ? "target-ids"
                                                : "new-tokens",
                          heed_head_name(h));
}

bool heedi_cli_has_continuation(const heedi_args *a)
{
    return a->generated || a->target_ids.n > 0 || a->new_tokens > 0;
}

static heed_status append(heedi_cli *c, heedi_cli_input *in, heed_tokens *more)
{
    heed_status st = heed_tokens_join(&in->joined, c->ctx, &in->tokens, more);
    if (st != HEED_OK)
        heedi_cli_lib(c, st);
    else
        in->tokens = *in->joined;
    heed_tokens_free(c->ctx, more);
    return st;
}

heed_status heedi_cli_generate(heedi_cli *c, heedi_cli_input *in, int64_t n_new)
{
    int32_t eos = c->tokenizer ? heed_tokenizer_about(c->tokenizer)->eos : -1;
    int32_t *id = heedi_cli_ids(c, &in->tokens);
    int32_t *out = heedi_cli_calloc(c, n_new, sizeof *out);
    heed_tokens *more = NULL;
    int64_t n = 0;
    heed_status st = id && out ? HEED_OK : HEED_ENOMEM;
    if (st == HEED_OK)
        st = heed_generate(c->ctx, c->model, id, in->tokens.n, n_new, eos, out,
                           &n);
    if (st == HEED_OK && n > 0)
        st = heed_tokens_of(&more, c->ctx, c->tokenizer, out, n);
    if (st != HEED_OK && id && out)
        heedi_cli_lib(c, st);
    free(id);
    free(out);
    return st == HEED_OK && n > 0 ? append(c, in, more) : st;
}

/* For a plan nothing is run: any tokens will do. */
static heed_status pretend(heedi_cli *c, heedi_cli_input *in, int64_t n)
{
    int32_t *id = heedi_cli_calloc(c, n, sizeof *id);
    heed_tokens *more = NULL;
    if (!id)
        return HEED_ENOMEM;
    heed_status st = heed_tokens_of(&more, c->ctx, NULL, id, n);
    free(id);
    return st == HEED_OK ? append(c, in, more) : heedi_cli_lib(c, st);
}

/* The tokens of -g or --target-ids; *out is NULL without them. */
static heed_status forced(heedi_cli *c, heed_tokens **out)
{
    const heedi_args *a = &c->args;
    *out = NULL;
    if (a->target_ids.n > 0)
        return tokens_of(c, "--target-ids", &a->target_ids, out);
    if (!a->generated)
        return HEED_OK;
    heed_encode_options o = {.special = a->special, .plain = 1};
    HEEDI_TRY(heedi_cli_tokenizer(c));
    HEEDI_LIB(c, heed_encode(out, c->ctx, c->tokenizer, a->generated,
                             (int64_t)strlen(a->generated), &o));
    return HEED_OK;
}

heed_status heedi_cli_room(heedi_cli *c, int64_t *out)
{
    heed_tokens *more;
    *out = c->args.new_tokens;
    HEEDI_TRY(forced(c, &more));
    if (more)
        *out = more->n;
    heed_tokens_free(c->ctx, more);
    return HEED_OK;
}

heed_status heedi_cli_continue(heedi_cli *c, heedi_cli_input *in)
{
    heed_tokens *more;
    HEEDI_TRY(check_head(c));
    if (c->args.new_tokens > 0 && c->args.dry_run)
        return pretend(c, in, c->args.new_tokens);
    if (c->args.new_tokens > 0)
        return heedi_cli_generate(c, in, c->args.new_tokens);
    HEEDI_TRY(forced(c, &more));
    return more ? append(c, in, more) : HEED_OK;
}
