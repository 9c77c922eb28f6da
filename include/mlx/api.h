// What programs put before the classes that they export.
#pragma once

#define MLX_API __attribute__((visibility("default")))
