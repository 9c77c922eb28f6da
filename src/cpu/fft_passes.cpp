#include "cpu/fft_passes.h"

#include <algorithm>
#include <cmath>

#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/fft_passes.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
struct Complex {
  hn::Vec<D> re, im;
};
template <class D>
HWY_INLINE Complex<D> operator+(Complex<D> a, Complex<D> b) {
  return {hn::Add(a.re, b.re), hn::Add(a.im, b.im)};
}
template <class D>
HWY_INLINE Complex<D> operator-(Complex<D> a, Complex<D> b) {
  return {hn::Sub(a.re, b.re), hn::Sub(a.im, b.im)};
}
template <class D>
HWY_INLINE Complex<D> scaled(D d, Complex<D> a, float f) {
  return {hn::Mul(a.re, hn::Set(d, f)), hn::Mul(a.im, hn::Set(d, f))};
}
template <class D>
HWY_INLINE Complex<D> add_scaled(D d, Complex<D> sum, Complex<D> a, float f) {
  return {hn::MulAdd(a.re, hn::Set(d, f), sum.re), hn::MulAdd(a.im, hn::Set(d, f), sum.im)};
}
// a - i b and a + i b
template <class D>
HWY_INLINE Complex<D> minus_i(Complex<D> a, Complex<D> b) {
  return {hn::Add(a.re, b.im), hn::Sub(a.im, b.re)};
}
template <class D>
HWY_INLINE Complex<D> plus_i(Complex<D> a, Complex<D> b) {
  return {hn::Sub(a.re, b.im), hn::Add(a.im, b.re)};
}

// One radix: out[b] = sum over k of in[k] e^(-2 pi i k b / radix). `read(k)` and `write(b, value)`.
template <int radix>
struct Butterfly {
  // Odd primes by their definition; terms k and radix - k share cosine and sine.
  template <class D, class Read, class Write>
  static HWY_INLINE void run(D d, Read read, Write write) {
    constexpr int half = radix / 2;
    Complex<D> sum[half], difference[half];
    const Complex<D> first = read(0);
    Complex<D> total = first;
#pragma GCC unroll 6
    for (int k = 0; k < half; k++) {
      const Complex<D> a = read(k + 1), b = read(radix - k - 1);
      sum[k] = a + b;
      difference[k] = a - b;
      total = total + sum[k];
    }
    write(0, total);
    static const Table table;
    for (int b = 1; b <= half; b++) {
      Complex<D> even = first, odd = scaled(d, difference[0], table.sine[b % radix]);
      even = add_scaled(d, even, sum[0], table.cosine[b % radix]);
#pragma GCC unroll 6
      for (int k = 1; k < half; k++) {
        const int turn = (k + 1) * b % radix;
        even = add_scaled(d, even, sum[k], table.cosine[turn]);
        odd = add_scaled(d, odd, difference[k], table.sine[turn]);
      }
      write(b, minus_i(even, odd));
      write(radix - b, plus_i(even, odd));
    }
  }
  struct Table {
    float cosine[radix], sine[radix];
    Table() {
      for (int k = 0; k < radix; k++) {
        cosine[k] = static_cast<float>(std::cos(2 * M_PI * k / radix));
        sine[k] = static_cast<float>(std::sin(2 * M_PI * k / radix));
      }
    }
  };
};

template <>
struct Butterfly<2> {
  template <class D, class Read, class Write>
  static HWY_INLINE void run(D, Read read, Write write) {
    const Complex<D> a = read(0), b = read(1);
    write(0, a + b);
    write(1, a - b);
  }
};

template <>
struct Butterfly<4> {
  template <class D, class Read, class Write>
  static HWY_INLINE void run(D, Read read, Write write) {
    const Complex<D> a = read(0), b = read(1), c = read(2), e = read(3);
    const Complex<D> even = a + c, odd = b + e, even2 = a - c, odd2 = b - e;
    write(0, even + odd);
    write(1, minus_i(even2, odd2));
    write(2, even - odd);
    write(3, plus_i(even2, odd2));
  }
};

template <>
struct Butterfly<8> {
  // Two of radix 4, joined by the eighth roots of unity.
  template <class D, class Read, class Write>
  static HWY_INLINE void run(D d, Read read, Write write) {
    Complex<D> even[4], odd[4];
    Butterfly<4>::run(
        d, [&](int k) HWY_ATTR { return read(2 * k); },
        [&](int b, Complex<D> v) HWY_ATTR { even[b] = v; });
    Butterfly<4>::run(
        d, [&](int k) HWY_ATTR { return read(2 * k + 1); },
        [&](int b, Complex<D> v) HWY_ATTR { odd[b] = v; });
    const float root = 0.70710678118654752f;
    // odd[1] e^(-i pi / 4) = root ((re + im) + i (im - re)); odd[3] e^(-3 i pi / 4) = -three
    const Complex<D> one =
        scaled(d, Complex<D>{hn::Add(odd[1].re, odd[1].im), hn::Sub(odd[1].im, odd[1].re)}, root);
    const Complex<D> three =
        scaled(d, Complex<D>{hn::Sub(odd[3].re, odd[3].im), hn::Add(odd[3].re, odd[3].im)}, root);
    write(0, even[0] + odd[0]);
    write(4, even[0] - odd[0]);
    write(1, even[1] + one);
    write(5, even[1] - one);
    write(2, minus_i(even[2], odd[2]));
    write(6, plus_i(even[2], odd[2]));
    write(3, even[3] - three);
    write(7, even[3] + three);
  }
};

// y[a + inner (c + before b)] = w^(a b) sum over k of x[a + inner (k + radix c)] e^(-2 pi i k b /
// radix)
template <int radix, class D>
void run_pass(D d, const FftPlan& plan, const FftPass& pass, const float* re, const float* im,
              float* re2, float* im2) {
  constexpr int64_t lanes = fft_width;
  const int64_t inner = pass.inner, before = pass.before;
  for (int64_t c = 0; c < before; c++) {
    const float* w = plan.twiddles.data() + pass.twiddles;
    for (int64_t a = 0; a < inner; a++, w += 2 * (radix - 1)) {
      for (int64_t l = 0; l < lanes; l += static_cast<int64_t>(hn::Lanes(d))) {
        auto read = [&](int k) HWY_ATTR {
          const int64_t at = (a + inner * (k + radix * c)) * lanes + l;
          return Complex<D>{hn::LoadU(d, re + at), hn::LoadU(d, im + at)};
        };
        auto write = [&](int b, Complex<D> v) HWY_ATTR {
          if (b > 0 && a > 0) {
            const auto wr = hn::Set(d, w[2 * b - 2]), wi = hn::Set(d, w[2 * b - 1]);
            v = {hn::NegMulAdd(v.im, wi, hn::Mul(v.re, wr)),
                 hn::MulAdd(v.re, wi, hn::Mul(v.im, wr))};
          }
          const int64_t at = (a + inner * (c + before * b)) * lanes + l;
          hn::StoreU(v.re, d, re2 + at);
          hn::StoreU(v.im, d, im2 + at);
        };
        Butterfly<radix>::run(d, read, write);
      }
    }
  }
}

void run_passes(const FftPlan& plan, float* re, float* im, float* re2, float* im2) {
  const hn::CappedTag<float, fft_width> d;
  float *from_re = re, *from_im = im, *to_re = re2, *to_im = im2;
  for (const FftPass& pass : plan.passes) {
    auto run = [&]<int radix>()
                   HWY_ATTR { run_pass<radix>(d, plan, pass, from_re, from_im, to_re, to_im); };
    switch (pass.radix) {
      case 2:
        run.template operator()<2>();
        break;
      case 3:
        run.template operator()<3>();
        break;
      case 4:
        run.template operator()<4>();
        break;
      case 5:
        run.template operator()<5>();
        break;
      case 7:
        run.template operator()<7>();
        break;
      case 8:
        run.template operator()<8>();
        break;
      case 11:
        run.template operator()<11>();
        break;
      default:
        run.template operator()<13>();
    }
    std::swap(from_re, to_re);
    std::swap(from_im, to_im);
  }
  if (from_re != re) {
    std::copy_n(from_re, plan.n * fft_width, re);
    std::copy_n(from_im, plan.n * fft_width, im);
  }
}

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu {

HWY_EXPORT(run_passes);

void run_fft_passes(const FftPlan& plan, float* re, float* im, float* re2, float* im2) {
  HWY_DYNAMIC_DISPATCH(run_passes)(plan, re, im, re2, im2);
}

}  // namespace heddle::cpu
#endif  // HWY_ONCE
