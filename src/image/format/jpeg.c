#include "image.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h> /* needs stdio.h before it */

#include <jerror.h>

enum {
    MOST_SCANS = 500
}; /* of a progressive file: each may cost a whole
      pass over the picture */

/* libjpeg leaves through longjmp; what is shared with the code before it lies
 * in here, not in local variables. */
typedef struct reader {
    struct jpeg_decompress_struct j;
    struct jpeg_error_mgr err;
    struct jpeg_progress_mgr progress;
    jmp_buf leave;
    const heedi_image_file *f;
    heedi_raster *out;
    unsigned char *row; /* of CMYK */
    int *orientation;
    heed_status st; /* of our own; HEED_OK: libjpeg's */
    char why[JMSG_LENGTH_MAX];
} reader;

static reader *reader_of(j_common_ptr j)
{
    return j->client_data;
}

static void fail(j_common_ptr j)
{
    reader *r = reader_of(j);
    j->err->format_message(j, r->why);
    longjmp(r->leave, 1);
}

/* Below 0 the data are damaged; libjpeg would make something up. Bytes that
 * are skipped between markers change nothing. */
static void message(j_common_ptr j, int level)
{
    const int code = j->err->msg_code;
    if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM)
        fail(j);
}

static void count_scans(j_common_ptr j)
{
    reader *r = reader_of(j);
    if (r->j.input_scan_number <= MOST_SCANS)
        return;
    snprintf(r->why, sizeof r->why, "it has more than %d scans", MOST_SCANS);
    longjmp(r->leave, 1);
}

static void own(reader *r, heed_status st)
{
    r->st = st;
    if (st != HEED_OK)
        longjmp(r->leave, 1);
}

static void orientation(reader *r)
{
    static const char head[6] = "Exif\0"; /* and one more NUL */
    for (jpeg_saved_marker_ptr m = r->j.marker_list; m; m = m->next) {
        if (m->marker != JPEG_APP0 + 1 || m->data_length < sizeof head ||
            memcmp(m->data, head, sizeof head) != 0)
            continue;
        int k = heedi_exif_orientation(m->data + sizeof head,
                                       m->data_length - sizeof head);
        if (k > 0)
            *r->orientation = k;
        return;
    }
}

/* a b / 255, rounded */
static int times(int a, int b)
{
    int x = a * b + 128;
    return (x / 256 + x) / 256;
}

/* Files hold 255 less the ink, as Adobe's do. */
static void rgb_of_cmyk(const unsigned char *in, unsigned char *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int c = 0; c < 3; c++) {
            int white = in[4 * i + 3];
            out[3 * i + c] =
                (unsigned char)(white - times(255 - in[4 * i + c], white));
        }
}

static void decode_rows(reader *r)
{
    struct jpeg_decompress_struct *j = &r->j;
    const bool cmyk = j->out_color_space == JCS_CMYK;
    const size_t size = (size_t)j->output_width * 3;
    if (cmyk) {
        r->row = heedi_alloc_raw(r->f->ctx, (size_t)j->output_width * 4);
        own(r, r->row ? HEED_OK : HEED_ENOMEM);
    }
    while (j->output_scanline < j->output_height) {
        unsigned char *to = r->out->rgb + size * j->output_scanline;
        JSAMPROW row = cmyk ? r->row : to;
        jpeg_read_scanlines(j, &row, 1);
        if (cmyk)
            rgb_of_cmyk(r->row, to, j->output_width);
    }
}

/* What libjpeg keeps: of a file of several scans the coefficients of all
 * blocks, else some rows. */
static uint64_t kept(struct jpeg_decompress_struct *j)
{
    uint64_t sum = (uint64_t)j->image_width * 128 + (1 << 18);
    for (int i = 0; jpeg_has_multiple_scans(j) && i < j->num_components; i++)
        sum += (uint64_t)j->comp_info[i].width_in_blocks *
               j->comp_info[i].height_in_blocks * sizeof(JBLOCK);
    return sum;
}

static void decode_all(reader *r)
{
    struct jpeg_decompress_struct *j = &r->j;
    jpeg_create_decompress(j);
    jpeg_mem_src(j, r->f->p, (unsigned long)r->f->n);
    jpeg_save_markers(j, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(j, TRUE);
    orientation(r);
    own(r, heedi_raster_new(r->out, r->f, j->image_width, j->image_height,
                            kept(j), *r->orientation));
    if (j->num_components == 4)
        j->out_color_space = JCS_CMYK;
    else if (j->num_components == 1 || j->num_components == 3)
        j->out_color_space = JCS_RGB;
    else
        own(r, heedi_fail(r->f->ctx, HEED_ENOTSUP,
                          "%s: a JPEG file of %d components is not supported",
                          r->f->path, j->num_components));
    r->progress.progress_monitor = count_scans;
    j->progress = &r->progress;
    jpeg_start_decompress(j);
    decode_rows(r);
    jpeg_finish_decompress(j);
}

static heed_status decode(const heedi_image_file *f, heedi_raster *out,
                          int *orient)
{
    static const reader zero;
    reader r = zero;
    r.f = f;
    r.out = out;
    r.orientation = orient;
    r.j.err = jpeg_std_error(&r.err);
    r.j.client_data = &r;
    r.err.error_exit = fail;
    r.err.emit_message = message;
    bool failed = setjmp(r.leave) != 0;
    if (!failed)
        decode_all(&r);
    jpeg_destroy_decompress(&r.j);
    heedi_free(f->ctx, r.row);
    if (!failed || r.st != HEED_OK)
        return r.st;
    return heedi_fail(f->ctx, HEED_EFORMAT, "%s: the JPEG file is damaged: %s",
                      f->path, r.why);
}

const heedi_image_format heedi_image_format_jpeg = {
    .name = "jpeg",
    .magic = "\xff\xd8\xff",
    .n_magic = 3,
    .decode = decode,
};
