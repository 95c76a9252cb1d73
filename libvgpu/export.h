// Everything is hidden but what carries this mark: exactly the replaced functions and the look-up entries.
#pragma once

#define HAMI_EXPORT extern "C" __attribute__((visibility("default")))
