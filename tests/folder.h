/* folder.h - a folder of files that a test writes, removed with all of them. */
#ifndef FOLDER_H
#define FOLDER_H

#include "testlib.h"

#include <unistd.h>

static char folder[] = "/tmp/heed-test-XXXXXX";

/* The path of a file in it; four are kept. */
static inline const char *in_folder(const char *name)
{
    static char path[4][512];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static inline void folder_open(void)
{
    assert_non_null(mkdtemp(folder));
}

/* What main() returns: 1 if `bad` or if the folder stays. */
static inline int folder_close(int bad)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) != 0 || bad != 0;
}

static inline void assert_same_bytes(const char *a, const char *b)
{
    size_t m, n;
    char *p = whole_file(a, &m), *q = whole_file(b, &n);
    assert_int_equal(m, n);
    assert_memory_equal(p, q, m);
    free(p);
    free(q);
}

#endif
