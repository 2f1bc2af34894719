/* Which sources this library was built from. */
#include "api.h"

#ifndef LVC_SOURCES_DIGEST
#define LVC_SOURCES_DIGEST ""
#endif

LVC_API const char *lvc_sources_digest(void);

LVC_API const char *lvc_sources_digest(void) { return LVC_SOURCES_DIGEST; }
