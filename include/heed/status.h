/* status.h - result codes. Every function that can fail returns heed_status. */
#ifndef HEED_STATUS_H
#define HEED_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#define HEED_API       __attribute__((visibility("default")))
#define HEED_NODISCARD __attribute__((warn_unused_result))

/* One list; the enum, heed_status_text() and heed_status_exit() are expanded
 * from it. Columns: name, value, exit status of the command, text. */
#define HEED_STATUS_LIST(X)                          \
    X(OK, 0, 0, "success")                           \
    X(EINTERNAL, -1, 1, "internal failure")          \
    X(EINVAL, -2, 2, "wrong use")                    \
    X(EIO, -3, 3, "file could not be read")          \
    X(EFORMAT, -4, 3, "file could not be parsed")    \
    X(ESHAPE, -5, 3, "shapes do not agree")          \
    X(ENOTSUP, -6, 4, "not supported")               \
    X(ENOMEM, -7, 5, "out of memory")                \
    X(ENUMERIC, -8, 6,                               \
      "a value is not finite, or a residual "        \
      "exceeds its tolerance")                       \
    X(EOUTPUT, -9, 7, "output could not be written") \
    X(ECANCEL, -10, 130, "interrupted")

typedef enum heed_status {
#define X(name, value, code, text) HEED_##name = value,
    HEED_STATUS_LIST(X)
#undef X
} heed_status;

/* Text of a code, never NULL, also for a value outside the enum.
 * Static storage. Cannot fail. */
HEED_API const char *heed_status_text(heed_status st);

/* The exit status that a command should end with: 0, 1 ... 7 or 130.
 * Cannot fail. */
HEED_API int heed_status_exit(heed_status st);

#ifdef __cplusplus
}
#endif
#endif
