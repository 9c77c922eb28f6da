// The block layouts of GGUF tensors. Formulas: the format's description; every decoder is compared
// with the Python package gguf in tests/python/test_files_gguf.py.
#include <cmath>
#include <cstring>

#include "io/gguf.h"

namespace heddle::io {
namespace {

float16_t half_at(const uint8_t* p) {
  float16_t value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}
float float_at(const uint8_t* p) { return static_cast<float>(half_at(p)); }

uint32_t word_at(const uint8_t* p) {
  uint32_t value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}

// Value i of 32, whose nibbles are split into a low and a high half.
int nibble(const uint8_t* q, int i) { return i < 16 ? q[i] & 15 : q[i - 16] >> 4; }

// --- kept quantized
// -------------------------------------------------------------------------------

template <int offset>
void unpack_nibbles(const uint8_t* block, uint32_t* words) {
  for (int w = 0; w < 4; w++) {
    words[w] = 0;
    for (int k = 0; k < 8; k++) {
      words[w] |= static_cast<uint32_t>(nibble(block + offset, 8 * w + k)) << (4 * k);
    }
  }
}
void unpack_q8_0(const uint8_t* block, uint32_t* words) {
  std::memcpy(words, block + 2, 32);
  for (int w = 0; w < 8; w++) words[w] ^= 0x80808080u;  // signed to unsigned: plus 128
}
float16_t bias_q4_0(const uint8_t* block) { return float16_t(-8.0f * float_at(block)); }
float16_t bias_q4_1(const uint8_t* block) { return half_at(block + 2); }
float16_t bias_q8_0(const uint8_t* block) { return float16_t(-128.0f * float_at(block)); }

// --- decoded
// --------------------------------------------------------------------------------------

void decode_q5_0(const uint8_t* b, float* out) {
  float d = float_at(b);
  uint32_t fifth = word_at(b + 2);
  for (int i = 0; i < 32; i++) {
    out[i] =
        d * static_cast<float>((nibble(b + 6, i) | static_cast<int>(fifth >> i & 1) << 4) - 16);
  }
}

void decode_q5_1(const uint8_t* b, float* out) {
  float d = float_at(b), m = float_at(b + 2);
  uint32_t fifth = word_at(b + 4);
  for (int i = 0; i < 32; i++) {
    out[i] = d * static_cast<float>(nibble(b + 8, i) | static_cast<int>(fifth >> i & 1) << 4) + m;
  }
}

// Two bits of value i of 256: four values share a byte, 32 bytes serve 128 values.
int two_bits(const uint8_t* q, int i) {
  return q[i / 128 * 32 + i % 32] >> (2 * (i % 128 / 32)) & 3;
}

void decode_q2_k(const uint8_t* b, float* out) {
  float d = float_at(b + 80), d_min = float_at(b + 82);
  for (int i = 0; i < 256; i++) {
    int s = b[i / 16];
    out[i] = d * static_cast<float>(s & 15) * static_cast<float>(two_bits(b + 16, i)) -
             d_min * static_cast<float>(s >> 4);
  }
}

void decode_q3_k(const uint8_t* b, float* out) {
  float d = float_at(b + 108);
  const uint8_t* s = b + 96;
  for (int g = 0; g < 16; g++) {
    int scale = (s[g % 8] >> (4 * (g / 8)) & 15) | (s[8 + g % 4] >> (2 * (g / 4)) & 3) << 4;
    float factor = d * static_cast<float>(scale - 32);
    for (int i = 16 * g; i < 16 * g + 16; i++) {
      bool has_third_bit = b[i % 32] >> (i / 32) & 1;
      out[i] = factor * static_cast<float>(two_bits(b + 32, i) - (has_third_bit ? 0 : 4));
    }
  }
}

// Scale and minimum of block j of 8, six bits each in 12 bytes.
void six_bits(const uint8_t* s, int j, float* scale, float* minimum) {
  int sc = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
  int m = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | (s[j] >> 6) << 4;
  *scale = static_cast<float>(sc);
  *minimum = static_cast<float>(m);
}

// Four bits of value i of block j: blocks in pairs share 32 bytes.
int half_byte(const uint8_t* q, int j, int i) { return q[j / 2 * 32 + i] >> (4 * (j % 2)) & 15; }

void decode_q4_k(const uint8_t* b, float* out) {
  float d = float_at(b), d_min = float_at(b + 2), scale, minimum;
  for (int j = 0; j < 8; j++) {
    six_bits(b + 4, j, &scale, &minimum);
    for (int i = 0; i < 32; i++) {
      out[32 * j + i] = d * scale * static_cast<float>(half_byte(b + 16, j, i)) - d_min * minimum;
    }
  }
}

void decode_q5_k(const uint8_t* b, float* out) {
  float d = float_at(b), d_min = float_at(b + 2), scale, minimum;
  for (int j = 0; j < 8; j++) {
    six_bits(b + 4, j, &scale, &minimum);
    for (int i = 0; i < 32; i++) {
      int q = half_byte(b + 48, j, i) | (b[16 + i] >> j & 1) << 4;
      out[32 * j + i] = d * scale * static_cast<float>(q) - d_min * minimum;
    }
  }
}

void decode_q6_k(const uint8_t* b, float* out) {
  float d = float_at(b + 208);
  for (int i = 0; i < 256; i++) {
    int n = i / 128, r = i % 128 / 32;
    int low = b[64 * n + 32 * (r % 2) + i % 32] >> (4 * (r / 2)) & 15;
    int high = b[128 + 32 * n + i % 32] >> (2 * r) & 3;
    float scale = static_cast<float>(static_cast<int8_t>(b[192 + i / 16]));
    out[i] = d * scale * static_cast<float>((low | high << 4) - 32);
  }
}

constexpr float four_bit_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                       1,    13,   25,  38,  53,  69,  89,  113};

void decode_iq4_nl(const uint8_t* b, float* out) {
  float d = float_at(b);
  for (int i = 0; i < 32; i++) out[i] = d * four_bit_levels[nibble(b + 2, i)];
}

void decode_iq4_xs(const uint8_t* b, float* out) {
  float d = float_at(b);
  int high = b[2] | b[3] << 8;
  for (int j = 0; j < 8; j++) {
    int scale = (b[4 + j / 2] >> (4 * (j % 2)) & 15) | (high >> (2 * j) & 3) << 4;
    float factor = d * static_cast<float>(scale - 32);
    for (int i = 0; i < 32; i++)
      out[32 * j + i] = factor * four_bit_levels[nibble(b + 8 + 16 * j, i)];
  }
}

// Digit n of five base-3 digits: the byte is a fraction of 256, digits come out from the top.
float ternary(uint8_t byte, int n) {
  constexpr uint8_t powers[5] = {1, 3, 9, 27, 81};
  uint8_t rest = static_cast<uint8_t>(byte * powers[n]);
  return static_cast<float>((rest * 3 >> 8) - 1);
}

void decode_tq1_0(const uint8_t* b, float* out) {
  float d = float_at(b + 52);
  auto digits = [&](const uint8_t* bytes, int width, int count) {
    for (int n = 0; n < count; n++) {
      for (int i = 0; i < width; i++) *out++ = d * ternary(bytes[i], n);
    }
  };
  digits(b, 32, 5);
  digits(b + 32, 16, 5);
  digits(b + 48, 4, 4);
}

void decode_tq2_0(const uint8_t* b, float* out) {
  float d = float_at(b + 64);
  for (int i = 0; i < 256; i++) out[i] = d * static_cast<float>(two_bits(b, i) - 1);
}

constexpr float fp4_values[16] = {0,     0.5f,  1,  1.5f,  2,  3,  4,  6,
                                  -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};

void decode_mxfp4(const uint8_t* b, float* out) {
  for (int i = 0; i < 32; i++) out[i] = std::ldexp(fp4_values[nibble(b + 1, i)], b[0] - 127);
}

// The scales have 4 bits of exponent and 3 of mantissa, and no sign.
float small_float(uint8_t bits) {
  int exponent = bits >> 3 & 15, mantissa = bits & 7;
  return exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9)
                       : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
}

void decode_nvfp4(const uint8_t* b, float* out) {
  for (int g = 0; g < 4; g++) {
    float scale = small_float(b[g]);
    const uint8_t* q = b + 4 + 8 * g;
    for (int i = 0; i < 8; i++) {
      out[16 * g + i] = scale * fp4_values[q[i] & 15];
      out[16 * g + 8 + i] = scale * fp4_values[q[i] >> 4];
    }
  }
}

const GgufTensorType types[] = {
    {0, "F32", 1, 4, float32},
    {1, "F16", 1, 2, float16},
    {24, "I8", 1, 1, int8},
    {25, "I16", 1, 2, int16},
    {26, "I32", 1, 4, int32},
    {27, "I64", 1, 8, int64},
    {28, "F64", 1, 8, float64},
    {30, "BF16", 1, 2, bfloat16},
    {2, "Q4_0", 32, 18, {}, nullptr, 4, unpack_nibbles<2>, bias_q4_0},
    {3, "Q4_1", 32, 20, {}, nullptr, 4, unpack_nibbles<4>, bias_q4_1},
    {8, "Q8_0", 32, 34, {}, nullptr, 8, unpack_q8_0, bias_q8_0},
    {6, "Q5_0", 32, 22, {}, decode_q5_0},
    {7, "Q5_1", 32, 24, {}, decode_q5_1},
    {10, "Q2_K", 256, 84, {}, decode_q2_k},
    {11, "Q3_K", 256, 110, {}, decode_q3_k},
    {12, "Q4_K", 256, 144, {}, decode_q4_k},
    {13, "Q5_K", 256, 176, {}, decode_q5_k},
    {14, "Q6_K", 256, 210, {}, decode_q6_k},
    {20, "IQ4_NL", 32, 18, {}, decode_iq4_nl},
    {23, "IQ4_XS", 256, 136, {}, decode_iq4_xs},
    {34, "TQ1_0", 256, 54, {}, decode_tq1_0},
    {35, "TQ2_0", 256, 66, {}, decode_tq2_0},
    {39, "MXFP4", 32, 17, {}, decode_mxfp4},
    {40, "NVFP4", 64, 36, {}, decode_nvfp4},
    // Blocks of sums for products, and blocks that index tables of vectors.
    {9, "Q8_1"},
    {15, "Q8_K"},
    {16, "IQ2_XXS"},
    {17, "IQ2_XS"},
    {18, "IQ3_XXS"},
    {19, "IQ1_S"},
    {21, "IQ3_S"},
    {22, "IQ2_S"},
    {29, "IQ1_M"},
};

}  // namespace

const GgufTensorType* gguf_tensor_type(uint32_t number) {
  for (const auto& type : types) {
    if (type.number == number) return &type;
  }
  return nullptr;
}

}  // namespace heddle::io
