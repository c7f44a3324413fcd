/* What is explained: conventions of --target, --at and continuations. */
#include <stdlib.h>
#include <string.h>

#include "cli_input.h"

static const heed_target_info *kind_named(const char *name)
{
    const heed_target_info *t;
    for (int i = 0; (t = heed_target_at(i)); i++)
        if (heedi_cli_listed(t->name, ' ', name) ||
            heedi_cli_listed(t->aliases, ' ', name))
            return t;
    return NULL;
}

static heed_status unknown_kind(heedi_cli *c, const char *name)
{
    char all[512] = "";
    const heed_target_info *t;
    for (int i = 0; (t = heed_target_at(i)); i++) {
        size_t n = strlen(all);
        snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", t->name);
    }
    return heedi_cli_fail(c, HEED_EINVAL, "--target '%s': must be one of %s",
                          name, all);
}

/* Two options that cannot both hold. */
static heed_status clash(heedi_cli *c, bool both, const char *a, const char *b)
{
    if (!both)
        return HEED_OK;
    return heedi_cli_fail(c, HEED_EINVAL, "--%s: not with --%s", a, b);
}

static heed_status check_text(heedi_cli *c, const char *name, const char *s)
{
    if (s && !*s)
        return heedi_cli_fail(c, HEED_EINVAL, "--%s: the text is empty", name);
    int64_t bad = s ? heedi_cli_utf8_bad(s, (int64_t)strlen(s)) : -1;
    return bad < 0 ? HEED_OK
                   : heedi_cli_fail(c, HEED_EINVAL,
                                    "--%s: byte %lld is no valid UTF-8", name,
                                    (long long)bad);
}

heed_status heedi_cli_target_check(heedi_cli *c)
{
    const heedi_args *a = &c->args;
    bool ids = a->target_ids.n > 0, text = a->generated != NULL;
    bool new_ = a->new_tokens > 0, foil = a->foil_token || a->foil_id >= 0;
    const char *forced = ids ? "target-ids" : text ? "generated" : "new-tokens";
    bool any = heedi_cli_has_continuation(a);
    HEEDI_TRY(clash(c, ids && text, "target-ids", "generated"));
    HEEDI_TRY(clash(c, ids && new_, "new-tokens", "target-ids"));
    HEEDI_TRY(clash(c, text && new_, "new-tokens", "generated"));
    HEEDI_TRY(clash(c, any && a->target_id >= 0, "target-id", forced));
    HEEDI_TRY(clash(c, any && a->target_token, "target-token", forced));
    HEEDI_TRY(clash(c, a->target_token && a->target_id >= 0, "target-id",
                    "target-token"));
    HEEDI_TRY(
        clash(c, a->foil_token && a->foil_id >= 0, "foil-id", "foil-token"));
    HEEDI_TRY(check_text(c, "generated", a->generated));
    HEEDI_TRY(check_text(c, "target-token", a->target_token));
    HEEDI_TRY(check_text(c, "foil-token", a->foil_token));
    const heed_target_info *t = a->target ? kind_named(a->target) : NULL;
    if (a->target && !t)
        return unknown_kind(c, a->target);
    if (foil && !(t && t->contrast))
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--foil-%s: only with a --target that is a "
                              "contrast, such as contrast_logit_diff",
                              a->foil_token ? "token" : "id");
    return HEED_OK;
}

heed_status heedi_cli_at(heedi_cli *c, int64_t at, int64_t n, int64_t *out)
{
    *out = at < 0 ? at + n : at;
    if (*out >= 0 && *out < n)
        return HEED_OK;
    return heedi_cli_fail(c, HEED_EINVAL,
                          "--at %lld: the sequence has rows 0 ... %lld",
                          (long long)at, (long long)(n - 1));
}

/* A label by its name, however it is written, or by its number. */
static heed_status label_id(heedi_cli *c, const char *name, const char *text,
                            int64_t id, int32_t *out)
{
    const heed_model_info *m = heed_model_about(c->model);
    char all[256] = "";
    *out = (int32_t)id;
    for (int64_t i = 0; text && i < m->n_labels; i++) {
        size_t n = strlen(all);
        snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", m->label[i]);
        if (strlen(text) == strlen(m->label[i]) &&
            heedi_cli_same_name(text, m->label[i], strlen(text)))
            *out = (int32_t)i;
    }
    if (text && *out < 0 && heedi_cli_int_of(text, &id) && id >= 0 &&
        id < m->n_labels)
        *out = (int32_t)id;
    if (text && *out < 0)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--%s-token '%s': the labels of the model are %s",
                              name, text, all);
    if (*out >= m->n_labels)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--%s-id: %d is beyond the %lld labels of the "
                              "model",
                              name, (int)*out, (long long)m->n_labels);
    return HEED_OK;
}

/* A token by its text or id; -1 if neither was given. */
static heed_status token_id(heedi_cli *c, const char *name, const char *text,
                            int64_t id, int32_t *out)
{
    int64_t vocab = heed_model_about(c->model)->vocab;
    const heed_head head = heed_model_about(c->model)->head;
    *out = (int32_t)id;
    if (head == HEED_HEAD_CLASS)
        return label_id(c, name, text, id, out);
    if (head == HEED_HEAD_EMBEDDING && (text || id >= 0))
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--%s-%s: a similarity of two texts is of no "
                              "token",
                              name, text ? "token" : "id");
    if (text) {
        HEEDI_TRY(heedi_cli_tokenizer(c));
        heed_status st = heed_token_id(out, c->ctx, c->tokenizer, text);
        if (st != HEED_OK)
            return heedi_cli_fail(c, st, "--%s-token: %s", name,
                                  heed_error(c->ctx));
    }
    if (*out >= vocab)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--%s-%s: %d is beyond the vocabulary of %lld "
                              "tokens",
                              name, text ? "token" : "id", (int)*out,
                              (long long)vocab);
    return HEED_OK;
}

/* The target that the model's head is made for, where no position is given;
 * in a masked model the library finds the mask. */
static heed_status at_head(heedi_cli *c, heedi_cli_input *in,
                           const heed_target *proto)
{
    in->n_targets = 1;
    in->target = heedi_cli_calloc(c, 1, sizeof *in->target);
    if (!in->target)
        return HEED_ENOMEM;
    *in->target = *proto;
    return HEED_OK;
}

heed_status heedi_cli_targets(heedi_cli *c, heedi_cli_input *in)
{
    const heedi_args *a = &c->args;
    const heed_head head = heed_model_about(c->model)->head;
    bool given = in->tokens.n > in->n_prompt;
    /* Rows whose next token may be explained. */
    int64_t first = given ? in->n_prompt - 1 : 0;
    int64_t last = in->tokens.n - 1 - given;
    bool all = a->at.n < 0 || (given && a->at.n == 0);
    heed_target proto = HEED_TARGET;
    if (a->target)
        proto.kind = kind_named(a->target)->name;
    HEEDI_TRY(
        token_id(c, "target", a->target_token, a->target_id, &proto.token));
    HEEDI_TRY(token_id(c, "foil", a->foil_token, a->foil_id, &proto.foil));
    if (a->at.n != 0 &&
        (head == HEED_HEAD_CLASS || head == HEED_HEAD_EMBEDDING))
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--at: a model with a head '%s' explains the "
                              "text as a whole",
                              heed_head_name(head));
    if (a->at.n == 0 && head != HEED_HEAD_NEXT)
        return at_head(c, in, &proto);
    in->n_targets = all ? last - first + 1 : a->at.n > 0 ? a->at.n : 1;
    in->target = heedi_cli_calloc(c, in->n_targets, sizeof *in->target);
    if (!in->target)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < in->n_targets; i++) {
        int64_t asked = all ? first + i : a->at.n > 0 ? a->at.v[i] : -1, at;
        HEEDI_TRY(heedi_cli_at(c, asked, in->tokens.n, &at));
        if (at < first || at > last)
            return heedi_cli_fail(
                c, HEED_EINVAL,
                "--at %lld: row %lld is not followed by a token of the "
                "continuation; rows %lld ... %lld are",
                (long long)asked, (long long)at, (long long)first,
                (long long)last);
        in->target[i] = proto;
        in->target[i].at = at;
        if (given)
            in->target[i].token = in->tokens.token[at + 1].id;
    }
    return HEED_OK;
}
