// The tile interpreter's functions: every code on every dtype that it is defined for against a
// double reference, with special values; each on every instruction set of the machine.
#include <doctest/doctest.h>
#include <hwy/highway.h>

#include <bit>
#include <complex>
#include <map>
#include <set>
#include <string>

#include "core/threads.h"
#include "cpu/tile/bytecode.h"
#include "tile_reference.h"
#include "tile_targets.h"

namespace heddle::testing {
namespace {

namespace tile = cpu::tile;

constexpr double inf = std::numeric_limits<double>::infinity();
const double nan_value = std::nan("");

// Distance from the exact value in units of the float's last place.
double ulps(float got, double want) {
  if (std::isnan(want)) return std::isnan(got) ? 0 : 1e9;
  const float rounded = static_cast<float>(want);
  if (got == rounded && std::isinf(rounded)) return 0;
  if (!std::isfinite(got)) return 1e9;
  const float a = std::fabs(rounded);
  const double unit =
      std::isinf(a) ? 0x1p104 : static_cast<double>(std::nextafter(a, INFINITY)) - a;
  return std::fabs(static_cast<double>(got) - want) / unit;
}

double tolerance(Dtype t) {
  switch (t) {
    case Dtype::float16:
      return 1.01 * 0x1p-11;  // half a unit of the last place, and a little
    case Dtype::bfloat16:
      return 1.01 * 0x1p-8;
    case Dtype::float32:
      return 4 * 0x1p-24;
    default:
      return 1e-13;
  }
}

void check_close(Code code, Dtype t, double got, double want, double x, double y) {
  if (std::isnan(want) && std::isnan(got)) return;
  // Where the dtype overflows, a value past its end by less than the tolerance may be infinite too.
  const double largest = t == float16 ? 65504 : t == float64 ? 1.7e308 : 3.38e38;
  if (std::isinf(got) && std::fabs(want) >= largest * (1 - 0x1p-8) && (got < 0) == (want < 0))
    return;
  const double smallest = t == float16    ? 0x1p-24
                          : t == float64  ? 0x1p-1070
                          : t == bfloat16 ? 0x1p-133
                                          : 0x1p-147;
  const bool close =
      got == want || std::fabs(got - want) <= tolerance(t) * std::fabs(want) + smallest;
  if (!close) {
    FAIL_CHECK("code ", static_cast<int>(code), " of ", std::string(name_of(t)), " at (", x, ", ",
               y, "): got ", got, ", want ", want);
  }
}

// Values of all sizes, and the special ones.
void fill_floats(Buffer& b, std::mt19937_64& random, bool specials = true) {
  const double special[] = {0.0,  -0.0, 1,     -1,     inf,  -inf, nan_value, 0.5,
                            -0.5, 2,    1e-40, -1e-40, 1e30, 3,    88.5};
  for (int64_t i = 0; i < b.size(); i++) {
    const double u = static_cast<double>(random() >> 11) * 0x1p-53 * 2 - 1;
    switch (random() % 6) {
      case 0:
        b.set(i, specials ? special[random() % std::size(special)] : u);
        break;
      case 1:
        b.set(i, u * 100);
        break;
      case 2:
        b.set(i, u * std::ldexp(1.0, static_cast<int>(random() % 200) - 130));
        break;
      case 3:
        b.set(i, std::round(u * 20));
        break;
      default:
        b.set(i, u * 3);
    }
  }
}

}  // namespace

TEST_CASE("tile: functions of one float stay within a few units of the last place") {
  // Those that are known better than 4 units, and two that are not so good.
  const std::map<Code, double> limits = {
      {Code::sqrt, 0.51},   {Code::rsqrt, 1.6}, {Code::reciprocal, 0.51}, {Code::exp, 1.1},
      {Code::expm1, 2},     {Code::log, 1.1},   {Code::log2, 2.5},        {Code::log10, 2.5},
      {Code::log1p, 2},     {Code::sin, 2},     {Code::cos, 2},           {Code::tan, 4},
      {Code::arcsin, 3},    {Code::arccos, 2},  {Code::arctan, 2.5},      {Code::sinh, 3},
      {Code::cosh, 2},      {Code::tanh, 3.2},  {Code::arcsinh, 3.5},     {Code::arccosh, 4.5},
      {Code::arctanh, 3.5}, {Code::erf, 2},     {Code::erfinv, 5},        {Code::sigmoid, 3}};
  for_each_target([&] {
    std::mt19937_64 random(7);
    for (Code code : codes_of(tile::Lane::f32, 1, {Code::copy})) {
      if (gives_bool(code)) continue;
      const double limit = limits.count(code) > 0 ? limits.at(code) : 4;
      const int64_t n = code == Code::erfinv ? 4096 : 100000;
      Buffer x(float32, n);
      for (int64_t i = 0; i < n; i++) {
        const double u = static_cast<double>(random() >> 11) * 0x1p-53 * 2 - 1;
        const float any = std::bit_cast<float>(static_cast<uint32_t>(random()));
        const double values[] = {any, u * 2, u * 110};
        x.set(i, code == Code::erfinv ? u : values[i % 3]);
      }
      Buffer y = apply(code, float32, float32, {&x});
      double worst = 0, where = 0;
      for (int64_t i = 0; i < n; i++) {
        const double e = ulps(y.as<float>()[i], reference(code, x.real(i)));
        if (e > worst) worst = e, where = x.real(i);
      }
      INFO("code ", static_cast<int>(code), " at ", where);
      CHECK(worst <= limit);
    }
  });
}

TEST_CASE("tile: every function of floats, on each floating dtype, with special values") {
  for_each_target([&] {
    std::mt19937_64 random(11);
    // Conversions and quotients have tests of their own.
    const std::vector<Code> unary_floats = codes_of(tile::Lane::f32, 1, {Code::copy});
    const std::vector<Code> binary_floats =
        codes_of(tile::Lane::f32, 2, {Code::floor_divide, Code::remainder});
    CHECK(unary_floats == codes_of(tile::Lane::f64, 1, {Code::copy}));
    CHECK(binary_floats == codes_of(tile::Lane::f64, 2, {Code::floor_divide, Code::remainder}));
    for (Dtype t : {float16, bfloat16, float32, float64}) {
      Buffer x(t, 3001), y(t, 3001);
      fill_floats(x, random);
      fill_floats(y, random);
      for (Code code : unary_floats) {
        const Dtype to = gives_bool(code) ? bool_ : t;
        Buffer z = apply(code, t, to, {&x});
        for (int64_t i = 0; i < x.size(); i++) {
          check_close(code, t, z.real(i), reference(code, x.real(i)), x.real(i), 0);
        }
      }
      for (Code code : binary_floats) {
        const Dtype to = gives_bool(code) ? bool_ : t;
        Buffer z = apply(code, t, to, {&x, &y});
        for (int64_t i = 0; i < x.size(); i++) {
          const double want = reference(code, x.real(i), y.real(i));
          // The sum of opposite numbers' logarithms cancels: the error is that of the larger one.
          if (code == Code::logaddexp && std::fabs(want) < 1) {
            CHECK(std::fabs(z.real(i) - want) <= 4 * tolerance(t));
          } else {
            check_close(code, t, z.real(i), want, x.real(i), y.real(i));
          }
        }
      }
    }
  });
}

TEST_CASE("tile: floor division and remainder of floats follow the divisor") {
  for_each_target([&] {
    std::mt19937_64 random(3);
    for (Dtype t : {float32, float64}) {
      Buffer x(t, 4096), y(t, 4096);
      fill_floats(x, random);
      fill_floats(y, random);
      Buffer r = apply(Code::remainder, t, t, {&x, &y}),
             q = apply(Code::floor_divide, t, t, {&x, &y});
      for (int64_t i = 0; i < x.size(); i++) {
        double want, quotient;
        // The floor of a quotient below zero is -1 where the quotient itself rounds to -0.
        auto floored = [](auto a, auto b) -> double {
          auto exact = a / b;
          return exact == 0 && std::signbit(exact) && a != 0 ? -1 : std::floor(exact);
        };
        if (t == float32) {
          const float a = x.as<float>()[i], b = y.as<float>()[i];
          float m = std::fmod(a, b);
          if (m != 0 && (m < 0) != (b < 0)) m += b;
          want = m;
          quotient = floored(a, b);
        } else {
          want = reference(Code::remainder, x.real(i), y.real(i));
          quotient = floored(x.real(i), y.real(i));
        }
        INFO(x.real(i), " and ", y.real(i));
        CHECK((r.real(i) == want || (std::isnan(want) && std::isnan(r.real(i)))));
        CHECK((q.real(i) == quotient || (std::isnan(quotient) && std::isnan(q.real(i)))));
      }
    }
  });
}

namespace {

// Integer arithmetic in 128 bits, then wrapped by the conversion to T.
template <class T>
T integer_reference(Code c, T a, T b) {
  const __int128 x = a, y = b;
  auto product = [](__int128 p, __int128 q) {  // wraps, in 128 bits
    return static_cast<__int128>(static_cast<unsigned __int128>(p) *
                                 static_cast<unsigned __int128>(q));
  };
  constexpr int bits = std::is_same_v<T, bool> ? 1 : 8 * sizeof(T);
  auto wrap = [](__int128 v) {
    return std::is_same_v<T, bool> ? static_cast<T>(v != 0) : static_cast<T>(v);
  };
  auto floor_div = [](__int128 p, __int128 q) {
    return p / q - (p % q != 0 && (p < 0) != (q < 0));
  };
  switch (c) {
    case Code::abs:
      return wrap(x < 0 ? -x : x);
    case Code::negative:
      return wrap(-x);
    case Code::sign:
      return wrap((x > 0) - (x < 0));
    case Code::square:
      return wrap(product(x, x));
    case Code::bitwise_invert:
      return std::is_same_v<T, bool> ? !a : wrap(~x);
    case Code::floor:
    case Code::ceil:
    case Code::round:
      return a;
    case Code::add:
      return wrap(x + y);
    case Code::subtract:
      return wrap(x - y);
    case Code::multiply:
      return wrap(product(x, y));
    case Code::floor_divide:
      return wrap(y == 0 ? 0 : floor_div(x, y));
    case Code::remainder:
      return wrap(y == 0 ? x : x - floor_div(x, y) * y);
    case Code::power: {
      if (y < 0) return 0;
      unsigned __int128 r = 1;
      for (__int128 i = 0; i < y && i < 300; i++) r *= static_cast<unsigned __int128>(x);
      return wrap(static_cast<__int128>(r));
    }
    case Code::maximum:
      return x < y ? b : a;
    case Code::minimum:
      return y < x ? b : a;
    case Code::bitwise_and:
      return wrap(x & y);
    case Code::bitwise_or:
      return wrap(x | y);
    case Code::bitwise_xor:
      return wrap(x ^ y);
    case Code::left_shift:
      return wrap(y < 0 || y >= bits ? 0 : x << static_cast<int>(y));
    case Code::right_shift:
      return wrap(y < 0 || y >= bits ? (x < 0 ? -1 : 0) : x >> static_cast<int>(y));
    default:
      throw std::logic_error("no reference for integers");
  }
}

}  // namespace

TEST_CASE("tile: integers wrap, floor and shift exactly") {
  for_each_target([&] {
    std::mt19937_64 random(5);
    std::vector<Code> codes, comparisons;
    for (int arity : {1, 2}) {
      for (Code code : codes_of(tile::Lane::i32, arity, {Code::copy})) {
        if (!gives_bool(code)) codes.push_back(code);
        if (gives_bool(code) && arity == 2) comparisons.push_back(code);
      }
    }
    for (Dtype t : {bool_, uint8, uint16, uint32, uint64, int8, int16, int32, int64}) {
      visit_dtype(t, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (std::is_integral_v<T>) {
          Buffer x(t, 1500), y(t, 1500);
          for (int64_t i = 0; i < x.size(); i++) {
            auto draw = [&]() -> T {
              const uint64_t r = random();
              if (std::is_same_v<T, bool>) return r & 1;
              if (r % 8 == 0) return std::numeric_limits<T>::min();
              if (r % 8 == 1) return std::numeric_limits<T>::max();
              return r % 8 < 5 ? static_cast<T>(static_cast<int64_t>((r >> 8) % 24) - 10)
                               : static_cast<T>(r >> 8);
            };
            x.template as<T>()[i] = draw();
            y.template as<T>()[i] = draw();
          }
          for (Code code : codes) {
            if (std::is_same_v<T, bool> && (code == Code::left_shift || code == Code::right_shift))
              continue;
            Buffer z = arity_of(code) == 1 ? apply(code, t, t, {&x}) : apply(code, t, t, {&x, &y});
            for (int64_t i = 0; i < x.size(); i++) {
              const T a = x.template as<T>()[i], b = y.template as<T>()[i];
              if (code == Code::power && static_cast<double>(b) > 300) continue;
              const T want = integer_reference<T>(code, a, b);
              if (z.template as<T>()[i] != want) {
                FAIL_CHECK("code ", static_cast<int>(code), " of ", std::string(name_of(t)),
                           " at (", +a, ", ", +b, "): got ", +z.template as<T>()[i], ", want ",
                           +want);
              }
            }
          }
          for (Code code : comparisons) {
            Buffer z = apply(code, t, bool_, {&x, &y});
            for (int64_t i = 0; i < x.size(); i++) {
              const T a = x.template as<T>()[i], b = y.template as<T>()[i];
              bool want = code == Code::equal || code == Code::equal_nan ? a == b
                          : code == Code::not_equal                      ? a != b
                          : code == Code::less                           ? a < b
                          : code == Code::less_equal                     ? a <= b
                          : code == Code::greater                        ? a > b
                          : code == Code::greater_equal                  ? a >= b
                          : code == Code::logical_and                    ? a && b
                                                                         : a || b;
              CHECK(z.as<bool>()[i] == want);
            }
          }
          Buffer none = apply(Code::is_nan, t, bool_, {&x}),
                 zero = apply(Code::logical_not, t, bool_, {&x});
          for (int64_t i = 0; i < x.size(); i++) {
            CHECK(!none.as<bool>()[i]);
            CHECK(zero.as<bool>()[i] == (x.template as<T>()[i] == 0));
          }
        }
      });
    }
  });
}

TEST_CASE("tile: complex functions against std::complex in double precision") {
  using Wide = std::complex<double>;
  std::mt19937_64 random(21);
  Buffer x(complex64, 999), y(complex64, 999);
  for (Buffer* b : {&x, &y}) {
    for (int64_t i = 0; i < b->size(); i++) {
      auto draw = [&] {
        return static_cast<float>(static_cast<double>(random() >> 11) * 0x1p-53 * 6 - 3);
      };
      b->as<complex64_t>()[i] = {draw(), draw()};
    }
  }
  std::set<Code> checked = {Code::copy, Code::abs, Code::real, Code::imag, Code::maximum};
  auto check = [&](Code code, auto f) {
    checked.insert(code);
    const bool two = arity_of(code) == 2;
    Buffer z =
        two ? apply(code, complex64, complex64, {&x, &y}) : apply(code, complex64, complex64, {&x});
    for (int64_t i = 0; i < x.size(); i++) {
      const Wide want = f(Wide(x.as<complex64_t>()[i]), Wide(y.as<complex64_t>()[i]));
      const Wide got(z.as<complex64_t>()[i]);
      INFO("code ", static_cast<int>(code));
      CHECK(std::abs(got - want) <= 5e-7 * std::abs(want) + 1e-7);
    }
  };
  check(Code::add, [](Wide a, Wide b) { return a + b; });
  check(Code::subtract, [](Wide a, Wide b) { return a - b; });
  check(Code::multiply, [](Wide a, Wide b) { return a * b; });
  check(Code::divide, [](Wide a, Wide b) { return a / b; });
  check(Code::power, [](Wide a, Wide b) { return std::pow(a, b); });
  check(Code::logaddexp,
        [](Wide a, Wide b) {  // on the sheet of the operand with the larger real part
          if (a.real() < b.real()) std::swap(a, b);
          return a + std::log(1.0 + std::exp(b - a));
        });
  check(Code::negative, [](Wide a, Wide) { return -a; });
  check(Code::conjugate, [](Wide a, Wide) { return std::conj(a); });
  check(Code::sign, [](Wide a, Wide) { return a / std::abs(a); });
  check(Code::square, [](Wide a, Wide) { return a * a; });
  check(Code::sqrt, [](Wide a, Wide) { return std::sqrt(a); });
  check(Code::rsqrt, [](Wide a, Wide) { return 1.0 / std::sqrt(a); });
  check(Code::reciprocal, [](Wide a, Wide) { return 1.0 / a; });
  check(Code::exp, [](Wide a, Wide) { return std::exp(a); });
  check(Code::log, [](Wide a, Wide) { return std::log(a); });
  check(Code::log2, [](Wide a, Wide) { return std::log(a) / std::log(2.0); });
  check(Code::log10, [](Wide a, Wide) { return std::log10(a); });
  check(Code::log1p, [](Wide a, Wide) { return std::log(1.0 + a); });
  check(Code::sin, [](Wide a, Wide) { return std::sin(a); });
  check(Code::cos, [](Wide a, Wide) { return std::cos(a); });
  check(Code::tan, [](Wide a, Wide) { return std::tan(a); });
  check(Code::arcsin, [](Wide a, Wide) { return std::asin(a); });
  check(Code::arccos, [](Wide a, Wide) { return std::acos(a); });
  check(Code::arctan, [](Wide a, Wide) { return std::atan(a); });
  check(Code::sinh, [](Wide a, Wide) { return std::sinh(a); });
  check(Code::cosh, [](Wide a, Wide) { return std::cosh(a); });
  check(Code::tanh, [](Wide a, Wide) { return std::tanh(a); });
  check(Code::arcsinh, [](Wide a, Wide) { return std::asinh(a); });
  check(Code::arccosh, [](Wide a, Wide) { return std::acosh(a); });
  check(Code::arctanh, [](Wide a, Wide) { return std::atanh(a); });
  check(Code::expm1, [](Wide a, Wide) { return std::exp(a) - 1.0; });
  check(Code::sigmoid, [](Wide a, Wide) { return 1.0 / (1.0 + std::exp(-a)); });
  check(Code::round,
        [](Wide a, Wide) { return Wide(std::nearbyint(a.real()), std::nearbyint(a.imag())); });
  check(Code::floor_divide, [](Wide a, Wide b) { return a / b; });  // there is no floor
  check(Code::minimum, [](Wide a, Wide b) { return a.real() < b.real() ? a : b; });
  for (int arity : {1, 2}) {
    for (Code code : codes_of(tile::Lane::c64, arity)) {
      INFO("code ", static_cast<int>(code));
      CHECK((gives_bool(code) || checked.count(code) > 0));
    }
  }

  Buffer size = apply(Code::abs, complex64, float32, {&x}),
         re = apply(Code::real, complex64, float32, {&x});
  Buffer im = apply(Code::imag, complex64, float32, {&x}),
         less = apply(Code::less, complex64, bool_, {&x, &y});
  Buffer more = apply(Code::maximum, complex64, complex64, {&x, &y});
  for (int64_t i = 0; i < x.size(); i++) {
    const complex64_t a = x.as<complex64_t>()[i], b = y.as<complex64_t>()[i];
    CHECK(size.as<float>()[i] == doctest::Approx(std::abs(a)).epsilon(1e-6));
    CHECK(re.as<float>()[i] == a.real());
    CHECK(im.as<float>()[i] == a.imag());
    CHECK(less.as<bool>()[i] == (a.real() < b.real()));
    CHECK(more.as<complex64_t>()[i] == (a.real() < b.real() ? b : a));
  }
}

TEST_CASE("tile: what is not defined is refused") {
  Buffer x(complex64, 4);
  CHECK_THROWS_AS(apply(Code::erf, complex64, complex64, {&x}), std::invalid_argument);
}

}  // namespace heddle::testing
