#include <heed/status.h>

const char *heed_status_text(heed_status st)
{
    switch (st) {
#define X(name, value, code, text) \
    case HEED_##name:              \
        return text;
        HEED_STATUS_LIST(X)
#undef X
    }
    return "unknown status";
}

int heed_status_exit(heed_status st)
{
    switch (st) {
#define X(name, value, code, text) \
    case HEED_##name:              \
        return code;
        HEED_STATUS_LIST(X)
#undef X
    }
    return 1;
}
