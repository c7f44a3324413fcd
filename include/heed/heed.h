/* heed.h - the whole public API. */
#ifndef HEED_H
#define HEED_H

#include <heed/attribute.h>
#include <heed/check.h>
#include <heed/corpus.h>
#include <heed/ctx.h>
#include <heed/figure.h>
#include <heed/file.h>
#include <heed/image.h>
#include <heed/method.h>
#include <heed/model.h>
#include <heed/predict.h>
#include <heed/process.h>
#include <heed/real.h>
#include <heed/result.h>
#include <heed/status.h>
#include <heed/token.h>
#include <heed/version.h>

#endif
