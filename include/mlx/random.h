// Random numbers in MLX's forms, bit for bit MLX's for equal keys.
#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "heddle/ops/random.h"
#include "mlx/utils.h"

namespace mlx::core::random {

namespace detail = core::detail;
using Key = std::optional<array>;

inline array key(uint64_t seed) { return heddle::random::key(seed); }
// Of the calling thread's sequence of keys, from which functions without a key take theirs.
inline void seed(uint64_t seed) { heddle::random::seed(seed); }

inline std::pair<array, array> split(const array& key, StreamOrDevice s = {}) {
  return detail::out(heddle::random::split(key, detail::in(s)));
}
inline array split(const array& key, int num, StreamOrDevice s = {}) {
  return heddle::random::split(key, num, detail::in(s));
}

class KeySequence {
 public:
  explicit KeySequence(uint64_t seed) : key_(random::key(seed)) {}

  void seed(uint64_t seed) {
    if (key_) *key_ = random::key(seed);
    else random::seed(seed);
  }
  array next() {
    auto [rest, next] = random::split(key_ ? *key_ : array(heddle::random::state()));
    if (key_) *key_ = rest;
    else heddle::random::state() = rest;
    return next;
  }
  // That of the calling thread.
  static KeySequence& default_() {
    thread_local KeySequence ours;
    return ours;
  }

 private:
  KeySequence() = default;
  std::optional<array> key_;  // none: the calling thread's own
};

inline array bits(const Shape& shape, int width, const Key& key = {}, StreamOrDevice s = {}) {
  return heddle::random::bits(detail::in(shape), width, detail::in(key), detail::in(s));
}
inline array bits(const Shape& shape, const Key& key = {}, StreamOrDevice s = {}) {
  return bits(shape, 4, key, s);
}

inline array uniform(const array& low, const array& high, const Shape& shape, Dtype dtype = float32,
                     const Key& key = {}, StreamOrDevice s = {}) {
  return heddle::random::uniform(low, high, detail::in(shape), dtype, detail::in(key),
                                 detail::in(s));
}
template <class T, class U>
  requires(!is_array_v<T> || !is_array_v<U>)
array uniform(T low, U high, const Shape& shape, Dtype dtype = float32, const Key& key = {},
              StreamOrDevice s = {}) {
  return uniform(array(low), array(high), shape, dtype, key, s);
}
inline array uniform(const Shape& shape, Dtype dtype, const Key& key = {}, StreamOrDevice s = {}) {
  return heddle::random::uniform(detail::in(shape), dtype, detail::in(key), detail::in(s));
}
inline array uniform(const Shape& shape, const Key& key = {}, StreamOrDevice s = {}) {
  return uniform(shape, float32, key, s);
}

inline array normal(const Shape& shape, Dtype dtype, const std::optional<array>& loc,
                    const std::optional<array>& scale, const Key& key, StreamOrDevice s = {}) {
  return heddle::random::normal(detail::in(shape), dtype, detail::in(loc), detail::in(scale),
                                detail::in(key), detail::in(s));
}
// Numbers that change nothing are left out, so that the bits are those of the plain draw.
inline array normal(const Shape& shape, Dtype dtype, const float loc, const float scale,
                    const Key& key = {}, StreamOrDevice s = {}) {
  auto unless = [dtype](float value, float plain) {
    return value == plain ? std::nullopt : std::make_optional(array(value, dtype));
  };
  return normal(shape, dtype, unless(loc, 0), unless(scale, 1), key, s);
}
inline array normal(const Shape& shape, const float loc, const float scale, const Key& key = {},
                    StreamOrDevice s = {}) {
  return normal(shape, float32, loc, scale, key, s);
}
inline array normal(const Shape& shape, const Dtype dtype, const Key& key = {},
                    StreamOrDevice s = {}) {
  return normal(shape, dtype, std::nullopt, std::nullopt, key, s);
}
inline array normal(const Shape& shape, const Key& key = {}, StreamOrDevice s = {}) {
  return normal(shape, float32, std::nullopt, std::nullopt, key, s);
}

inline array multivariate_normal(const array& mean, const array& cov, const Shape& shape,
                                 Dtype dtype, const Key& key = {}, StreamOrDevice s = {}) {
  return heddle::random::multivariate_normal(mean, cov, detail::in(shape), dtype, detail::in(key),
                                             detail::in(s));
}

inline array randint(const array& low, const array& high, const Shape& shape, Dtype dtype = int32,
                     const Key& key = {}, StreamOrDevice s = {}) {
  return heddle::random::randint(low, high, detail::in(shape), dtype, detail::in(key),
                                 detail::in(s));
}
template <class T, class U>
  requires(!is_array_v<T> || !is_array_v<U>)
array randint(T low, U high, const Shape& shape, Dtype dtype = int32, const Key& key = {},
              StreamOrDevice s = {}) {
  return randint(array(low), array(high), shape, dtype, key, s);
}

inline array bernoulli(const array& p, const Shape& shape, const Key& key = {},
                       StreamOrDevice s = {}) {
  return heddle::random::bernoulli(p, detail::in(shape), detail::in(key), detail::in(s));
}
inline array bernoulli(const array& p, const Key& key = {}, StreamOrDevice s = {}) {
  return heddle::random::bernoulli(p, detail::in(key), detail::in(s));
}
template <class T>
  requires std::is_arithmetic_v<T> array bernoulli(T p, const Key& key = {},
                                                   StreamOrDevice s = {}) {
    return bernoulli(array(p), key, s);
  }
template <class T>
  requires std::is_arithmetic_v<T> array bernoulli(T p, const Shape& shape, const Key& key = {},
                                                   StreamOrDevice s = {}) {
    return bernoulli(array(p), shape, key, s);
  }
inline array bernoulli(const Key& key = {}, StreamOrDevice s = {}) {
  return bernoulli(array(0.5f), key, s);
}

inline array truncated_normal(const array& lower, const array& upper, const Shape& shape,
                              Dtype dtype = float32, const Key& key = {}, StreamOrDevice s = {}) {
  return heddle::random::truncated_normal(lower, upper, detail::in(shape), dtype, detail::in(key),
                                          detail::in(s));
}
inline array truncated_normal(const array& lower, const array& upper, Dtype dtype = float32,
                              const Key& key = {}, StreamOrDevice s = {}) {
  return heddle::random::truncated_normal(lower, upper, dtype, detail::in(key), detail::in(s));
}

inline array gumbel(const Shape& shape, Dtype dtype = float32, const Key& key = {},
                    StreamOrDevice s = {}) {
  return heddle::random::gumbel(detail::in(shape), dtype, detail::in(key), detail::in(s));
}

inline array categorical(const array& logits, int axis, const Shape& shape, const Key& key = {},
                         StreamOrDevice s = {}) {
  return heddle::random::categorical(logits, axis, detail::in(shape), detail::in(key),
                                     detail::in(s));
}
inline array categorical(const array& logits, int axis, int num_samples, const Key& key = {},
                         StreamOrDevice s = {}) {
  return heddle::random::categorical(logits, axis, num_samples, detail::in(key), detail::in(s));
}
inline array categorical(const array& logits, int axis = -1, const Key& key = {},
                         StreamOrDevice s = {}) {
  return heddle::random::categorical(logits, axis, detail::in(key), detail::in(s));
}

inline array laplace(const Shape& shape, Dtype dtype, const float loc, const float scale,
                     const Key& key = {}, StreamOrDevice s = {}) {
  auto unless = [dtype](float value, float plain) {
    return value == plain ? std::nullopt : std::make_optional<heddle::Array>(array(value, dtype));
  };
  return heddle::random::laplace(detail::in(shape), dtype, unless(loc, 0), unless(scale, 1),
                                 detail::in(key), detail::in(s));
}
inline array laplace(const Shape& shape, const float loc, const float scale, const Key& key = {},
                     StreamOrDevice s = {}) {
  return laplace(shape, float32, loc, scale, key, s);
}
inline array laplace(const Shape& shape, const Dtype dtype, const Key& key = {},
                     StreamOrDevice s = {}) {
  return laplace(shape, dtype, 0.0f, 1.0f, key, s);
}
inline array laplace(const Shape& shape, const Key& key = {}, StreamOrDevice s = {}) {
  return laplace(shape, float32, 0.0f, 1.0f, key, s);
}

inline array permutation(const array& x, int axis = 0, const Key& key = {}, StreamOrDevice s = {}) {
  return heddle::random::permutation(x, axis, detail::in(key), detail::in(s));
}
inline array permutation(int x, const Key& key = {}, StreamOrDevice s = {}) {
  return heddle::random::permutation(x, detail::in(key), detail::in(s));
}

}  // namespace mlx::core::random
