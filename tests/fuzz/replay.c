/* replay.c FILE|FOLDER... - a target on files, with any compiler. */
#include <dirent.h>

#include "fuzz.h"

static int n;

static void one(const char *path)
{
    size_t size;
    uint8_t *p = fuzz_read(path, &size);
    LLVMFuzzerTestOneInput(p, size);
    free(p);
    n++;
}

int main(int argc, char **argv)
{
    char path[512];
    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        if (!d) {
            one(argv[i]);
            continue;
        }
        for (struct dirent *e; (e = readdir(d));) {
            snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
            if (e->d_name[0] != '.')
                one(path);
        }
        closedir(d);
    }
    if (n == 0)
        fprintf(stderr, "%s: no files\n", argv[0]);
    return n == 0;
}
