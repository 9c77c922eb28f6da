// Packed elements to vectors of floats; included once per target.
#if defined(HEDDLE_CPU_UNPACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEDDLE_CPU_UNPACK_INL_H_
#undef HEDDLE_CPU_UNPACK_INL_H_
#else
#define HEDDLE_CPU_UNPACK_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

// What the bits of an element stand for.
enum class Element { integer, e2m1, e4m3 };

using Floats = hn::CappedTag<float, 16>;
using Codes = hn::RebindToUnsigned<Floats>;

// The values of the codes in the lanes.
template <Element kind>
HWY_INLINE hn::Vec<Floats> decode(hn::Vec<Codes> codes) {
  const Floats d;
  [[maybe_unused]] const Codes du;
  [[maybe_unused]] const hn::RebindToSigned<Floats> di;
  if constexpr (kind == Element::integer) {
    return hn::ConvertTo(d, hn::BitCast(di, codes));
  } else if constexpr (kind == Element::e2m1) {
#if HWY_TARGET == HWY_SCALAR
    static constexpr float values[16] = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                                         -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};
    return hn::Set(d, values[hn::GetLane(codes)]);
#else
    // Twice the magnitude is an integer, which a table of bytes gives. The other three bytes of a
    // lane are zero and stay so.
    alignas(16) static constexpr uint8_t doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12,
                                                        0, 1, 2, 3, 4, 6, 8, 12};
    const hn::Repartition<uint8_t, Codes> bytes;
    const auto table = hn::LoadDup128(bytes, doubled);
    const auto magnitude = hn::BitCast(di, hn::TableLookupBytes(table, hn::BitCast(bytes, codes)));
    const auto sign = hn::And(hn::ShiftLeft<28>(codes), hn::Set(du, 0x80000000u));
    return hn::Or(hn::Mul(hn::ConvertTo(d, magnitude), hn::Set(d, 0.5f)), hn::BitCast(d, sign));
#endif
  } else {
    // E4M3 with its exponent moved into float16's field is the value times 2^-8.
    const hn::Rebind<uint16_t, Codes> du16;
    const hn::Rebind<hwy::float16_t, Floats> df16;
    const auto magnitude = hn::And(codes, hn::Set(du, 0x7fu));
    const auto half =
        hn::Or(hn::ShiftLeft<7>(magnitude), hn::ShiftLeft<8>(hn::And(codes, hn::Set(du, 0x80u))));
    const auto value = hn::Mul(hn::PromoteTo(d, hn::BitCast(df16, hn::TruncateTo(du16, half))),
                               hn::Set(d, 256.0f));
    const auto nan = hn::RebindMask(d, hn::Eq(magnitude, hn::Set(du, 0x7fu)));
    return hn::IfThenElse(nan, hn::Set(d, std::numeric_limits<float>::quiet_NaN()), value);
  }
}

// 16 elements of `bits` bits at a time, in order. Each lies in two neighbouring bytes: a shuffle
// brings these to the element's lane, a shift aligns them.
template <int bits>
class Unpack {
 public:
  static constexpr int step = 16;
  static constexpr int bytes = 2 * bits;
  static constexpr int lanes = static_cast<int>(hn::MaxLanes(Floats()));
  static constexpr int vectors = step / lanes;

#if HWY_TARGET == HWY_SCALAR
  HWY_INLINE hn::Vec<Codes> operator()(const uint8_t* p, int v) const {
    const int bit = v * bits, byte = bit / 8;
    uint32_t both = p[byte];
    if (bit % 8 + bits > 8) both |= static_cast<uint32_t>(p[byte + 1]) << 8;
    return hn::Set(Codes(), both >> bit % 8 & ((1u << bits) - 1));
  }
#else
  HWY_INLINE Unpack() {
    for (int v = 0; v < vectors; v++) {
      HWY_ALIGN uint8_t from[16 * sizeof(uint32_t)];
      HWY_ALIGN uint32_t shift[step];
      for (int i = 0; i < lanes; i++) {
        const int bit = (v * lanes + i) * bits;
        constexpr uint8_t zero = 0x80;
        from[4 * i] = static_cast<uint8_t>(bit / 8);
        from[4 * i + 1] = bit % 8 + bits > 8 ? static_cast<uint8_t>(bit / 8 + 1) : zero;
        from[4 * i + 2] = from[4 * i + 3] = zero;
        shift[i] = static_cast<uint32_t>(bit % 8);
      }
      from_[v] = hn::Load(Bytes(), from);
      shift_[v] = hn::Load(Codes(), shift);
    }
  }

  // Vector v of the elements at `p`, of which 16 bytes may be read.
  HWY_INLINE hn::Vec<Codes> operator()(const uint8_t* p, int v) const {
    const auto spread = hn::TableLookupBytesOr0(hn::LoadDup128(Bytes(), p), from_[v]);
    const auto aligned = hn::Shr(hn::BitCast(Codes(), spread), shift_[v]);
    return hn::And(aligned, hn::Set(Codes(), (1u << bits) - 1));
  }

 private:
  using Bytes = hn::Repartition<uint8_t, Codes>;
  hn::Vec<Bytes> from_[vectors];
  hn::Vec<Codes> shift_[vectors];
#endif
};

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
