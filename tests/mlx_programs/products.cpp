// Products, convolutions, quantization, linear algebra, Fourier transforms, fused operations,
// random numbers.
#include <limits>

#include "show.h"

using namespace mlx::core;

namespace {

void products() {
  array a = reshape(arange(6.0, float32), {2, 3}), b = reshape(arange(6.0, float32), {3, 2});
  array v({1.0f, 2.0f, 3.0f});
  show("matmul", matmul(a, b));
  show("matmul vector", matmul(a, v));
  show("kron", kron(array({1, 2}), array({1, 1})));
  show("tensordot", tensordot(a, b, 1));
  show("tensordot default", tensordot(a, transpose(b)));
  show("tensordot axes", tensordot(a, b, {1}, {0}));
  show("outer", outer(v, v));
  show("inner", inner(v, v));
  show("vecdot", vecdot(a, a));
  show("vecdot axis", vecdot(a, a, 0));
  show("addmm", addmm(array(1.0f), a, b));
  show("addmm scaled", addmm(array(1.0f), a, b, 2.0f, 0.5f));
  show("einsum", einsum("ij,jk->ik", {a, b}));
  tell("einsum_path", einsum_path("ij,jk->ik", {a, b}).first.size());
  array big = reshape(arange(32.0 * 32, float32), {32, 32}) / 1000;
  show("block_masked_mm", sum(block_masked_mm(big, big, 32, array({true}, {1, 1}))));
  show("gather_mm",
       gather_mm(reshape(arange(8.0, float32), {2, 2, 2}), reshape(arange(8.0, float32), {2, 2, 2}),
                 array({0, 1}), array({1, 0})));
  show("segmented_mm", segmented_mm(a, b, array({0, 1, 1, 3}, {2, 2}, uint32)));
  show("hadamard_transform", hadamard_transform(array({1.0f, 2.0f, 3.0f, 4.0f})));
  show("hadamard_transform scaled", hadamard_transform(array({1.0f, 2.0f, 3.0f, 4.0f}), 1.0f));

  array w = reshape(linspace(-1, 1, 64 * 4), {4, 64}), x = reshape(linspace(0, 1, 64), {1, 64});
  auto q = quantize(w);
  show("quantize", q);
  show("quantize 32", quantize(w, 32, 8));
  show("dequantize", dequantize(q[0], q[1], q[2]));
  show("quantized_matmul", quantized_matmul(x, q[0], q[1], q[2]));
  show("quantized_matmul as is", quantized_matmul(x, q[0], q[1], q[2], true, 64, 4));
  auto m = quantize(w, 32, 4, "mxfp4");
  show("quantize mxfp4", m);
  show("dequantize mxfp4", dequantize(m[0], m[1], std::nullopt, 32, 4, "mxfp4"));
  show("gather_qmm", gather_qmm(x, reshape(q[0], {2, 2, -1}), reshape(q[1], {2, 2, -1}),
                                reshape(q[2], {2, 2, -1}), std::nullopt, array({1, 0}, uint32)));
  auto n = quantize(w, 16, 4, "nvfp4");
  show("qqmm", qqmm(x, n[0], n[1]));
  auto gathered = [&] {
    return gather_qqmm(x, reshape(n[0], {2, 2, -1}), reshape(n[1], {2, 2, -1}), std::nullopt,
                       array({1}, uint32));
  };
#ifdef ON_HEDDLE  // MLX has it on GPUs only
  show("gather_qqmm", gathered());
#endif
}

void convolutions() {
  array x = reshape(arange(20.0, float32), {1, 4, 5, 1}), w = ones({1, 2, 2, 1});
  show("conv1d", conv1d(reshape(arange(5.0, float32), {1, 5, 1}), ones({1, 2, 1})));
  show("conv1d stride", conv1d(reshape(arange(5.0, float32), {1, 5, 1}), ones({1, 2, 1}), 2, 1));
  show("conv2d", conv2d(x, w));
  show("conv2d stride", conv2d(x, w, {1, 2}, {0, 1}));
  show("conv3d",
       conv3d(reshape(arange(8.0, float32), {1, 2, 2, 2, 1}), ones({1, 1, 2, 2, 1}), {1, 1, 1}));
  show("conv_transpose1d",
       conv_transpose1d(reshape(arange(3.0, float32), {1, 3, 1}), ones({1, 2, 1}), 2));
  show("conv_transpose2d", conv_transpose2d(x, w, {2, 1}));
  show("conv_transpose3d", conv_transpose3d(reshape(arange(8.0, float32), {1, 2, 2, 2, 1}),
                                            ones({1, 1, 2, 2, 1}), {1, 1, 1}));
  show("conv_general", conv_general(x, w, {1, 1}, {1, 0}, {1, 1}, {1, 1}, 1));
  show("conv_general sides", conv_general(x, w, {1, 1}, {1, 0}, {0, 1}, {1, 1}, {1, 1}, 1, true));
}

void linear_algebra() {
  array a({4.0f, 1.0f, 1.0f, 3.0f}, {2, 2}), b({1.0f, 2.0f});
  Device cpu = Device::cpu;
  show("norm", linalg::norm(b));
  show("norm axis", linalg::norm(a, 0));
  show("norm ord", linalg::norm(b, 1.0));
  show("norm ord axis", linalg::norm(a, 1.0, 0));
  show("norm inf", linalg::norm(b, std::numeric_limits<double>::infinity()));
  show("norm fro", linalg::norm(a, "fro"));
  show("norm nuc", linalg::norm(a, "nuc", std::nullopt, false, cpu));
  show("norm axes", linalg::norm(a, std::vector<int>{0, 1}, true));
  auto [q, r] = linalg::qr(a, cpu);
  show("qr", matmul(q, r));
  auto usv = linalg::svd(a, cpu);
  show("svd", usv[1]);
  show("svd values", linalg::svd(a, false, cpu));
  show("inv", linalg::inv(a, cpu));
  show("tri_inv", linalg::tri_inv(tril(a), false, cpu));
  show("cholesky", linalg::cholesky(a, false, cpu));
  show("pinv", linalg::pinv(a, cpu));
  show("cholesky_inv", linalg::cholesky_inv(linalg::cholesky(a, false, cpu), false, cpu));
  show("lu", linalg::lu(a, cpu));
  show("lu_factor", linalg::lu_factor(a, cpu));
  show("solve", linalg::solve(a, b, cpu));
  show("solve_triangular", linalg::solve_triangular(tril(a), b, false, cpu));
  show("cross", linalg::cross(array({1.0f, 2.0f, 3.0f}), array({4.0f, 5.0f, 6.0f})));
  show("eig", sort(real(linalg::eig(a, cpu).first)));
  show("eigvals", sort(real(linalg::eigvals(a, cpu))));
  show("eigh", linalg::eigh(a, "L", cpu).first);
  show("eigvalsh", linalg::eigvalsh(a, "U", cpu));
  show("det", linalg::det(a, cpu));
  show("slogdet", linalg::slogdet(a, cpu));
}

void fourier() {
  using namespace mlx::core::fft;
  array x({1.0f, 2.0f, 3.0f, 4.0f}), m = reshape(arange(16.0, float32), {4, 4});
  show("fft", mlx::core::fft::fft(x));
  show("fft n", mlx::core::fft::fft(x, 2, 0));
  show("ifft", ifft(mlx::core::fft::fft(x)));
  show("ifft n", ifft(x, 3, -1));
  show("rfft", rfft(x));
  show("rfft n", rfft(x, 3, -1, FFTNorm::Ortho));
  show("irfft", irfft(rfft(x)));
  show("irfft n", irfft(rfft(x), 4, -1));
  show("fft2", fft2(m));
  show("fft2 n", fft2(m, {2, 2}, {0, 1}));
  show("ifft2", ifft2(m, {0, 1}));
  show("ifft2 n", ifft2(m, {2, 2}, {0, 1}));
  show("rfft2", rfft2(m));
  show("rfft2 n", rfft2(m, {2, 2}, {0, 1}, FFTNorm::Forward));
  show("irfft2", irfft2(rfft2(m)));
  show("irfft2 n", irfft2(rfft2(m), {4, 4}, {0, 1}));
  show("fftn", fftn(m));
  show("fftn axes", fftn(m, {0, 1}));
  show("fftn n", fftn(m, {2, 4}, {0, 1}));
  show("ifftn", ifftn(m));
  show("ifftn axes", ifftn(m, {0}));
  show("ifftn n", ifftn(m, {2, 4}, {0, 1}));
  show("rfftn", rfftn(m));
  show("rfftn axes", rfftn(m, {1}));
  show("rfftn n", rfftn(m, {2, 4}, {0, 1}));
  show("irfftn", irfftn(rfftn(m)));
  show("irfftn axes", irfftn(rfftn(m), {0, 1}));
  show("irfftn n", irfftn(rfftn(m), {4, 4}, {0, 1}));
  show("fftfreq", fftfreq(4));
  show("rfftfreq", rfftfreq(4, 0.5));
  show("fftshift", fftshift(x));
  show("fftshift axes", fftshift(m, {0}));
  show("ifftshift", ifftshift(x));
  show("ifftshift axes", ifftshift(m, {1}));
  array signal = sin(arange(64.0, float32));
  show("stft", stft(signal, 16));
  show("stft hop", stft(signal, 16, 8, 16, hanning(16)));
  show("istft", istft(stft(signal, 16, 4, 16, hanning(16)), 16, 4, 16, hanning(16)));
}

void fused() {
  array x = reshape(linspace(-1, 1, 12), {3, 4}), w({1.0f, 2.0f, 3.0f, 4.0f});
  show("rms_norm", fast::rms_norm(x, w, 1e-5f));
  show("rms_norm plain", fast::rms_norm(x, std::nullopt, 1e-5f));
  show("layer_norm", fast::layer_norm(x, w, w, 1e-5f));
  show("layer_norm plain", fast::layer_norm(x, std::nullopt, std::nullopt, 1e-5f));
  show("cross_entropy", fast::cross_entropy(x, array({0, 1, 2})));
  array q = reshape(linspace(-1, 1, 2 * 3 * 8), {1, 2, 3, 8});
  show("rope", fast::rope(q, 8, false, 10000.0f, 1.0f, 0));
  show("rope offset", fast::rope(q, 8, true, 10000.0f, 1.0f, array(2)));
  show("attention", fast::scaled_dot_product_attention(q, q, q, 0.5f));
  show("attention causal", fast::scaled_dot_product_attention(q, q, q, 0.5f, "causal"));
  array mask = array({true, false, true, true, true, false, true, true, true}, {3, 3});
  show("attention mask", fast::scaled_dot_product_attention(q, q, q, 0.5f, "", mask));
  array k = reshape(linspace(-1, 1, 2 * 1 * 32), {1, 2, 1, 32});
  auto updated = fast::gated_delta_update(k, k, k, full({1, 2, 1}, 0.9f), full({1, 2, 1}, 0.5f));
  show("gated_delta_update", updated);
  refused("precompiled_cuda_kernel", [&] {
    fast::precompiled_cuda_kernel("k", "", {x}, {{1}}, {float32}, {}, {1, 1, 1}, {1, 1, 1});
  });
  refused("cuda_kernel", [&] {
    fast::cuda_kernel("k", {"x"}, {"y"}, "y[0] = x[0];")({x}, {{1}}, {float32}, {1, 1, 1},
                                                         {1, 1, 1}, {}, std::nullopt, false, {});
  });
  auto kernel = fast::metal_kernel("k", {"x"}, {"y"}, "y[0] = x[0];");
  refused("metal_kernel", [&] {
    kernel({x}, {{1}}, {float32}, {1, 1, 1}, {1, 1, 1}, {}, std::nullopt, false, {});
  });
}

void random_numbers() {
  array key = random::key(7);
  show("key", key);
  show("split", random::split(key));
  show("split num", random::split(key, 3));
  show("bits", random::bits({3}, key));
  show("bits width", random::bits({3}, 2, key));
  show("uniform", random::uniform({3}, key));
  show("uniform as", random::uniform({3}, float16, key));
  show("uniform range", random::uniform(1.0f, 2.0f, {3}, float32, key));
  show("uniform arrays", random::uniform(array(1.0f), array({2.0f, 3.0f}), {2}, float32, key));
  show("normal", random::normal({3}, key));
  show("normal as", random::normal({3}, float32, key));
  show("normal half", random::normal({3}, float16, key));
  show("normal loc", random::normal({3}, 5.0f, 0.1f, key));
  show("normal all", random::normal({3}, float32, 5.0f, 0.1f, key));
  show("normal arrays", random::normal({2}, float32, array({1.0f, 2.0f}), array(0.5f), key));
  tell("multivariate_normal",
       random::multivariate_normal(array({0.0f, 0.0f}), eye(2), {3}, float32, key, Device::cpu)
           .shape());
  show("randint", random::randint(0, 10, {4}, int32, key));
  show("randint arrays", random::randint(array(0), array({10, 20}), {2}, int32, key));
  show("bernoulli", random::bernoulli(std::optional<array>(key)));
  show("bernoulli p", random::bernoulli(0.3f, {5}, key));
  show("bernoulli p plain", random::bernoulli(0.3f, key));
  show("bernoulli array", random::bernoulli(array({0.1f, 0.9f}), key));
  show("bernoulli shape", random::bernoulli(array(0.5f), {4}, key));
  show("truncated_normal", random::truncated_normal(array(-1.0f), array(1.0f), {3}, float32, key));
  show("truncated_normal plain",
       random::truncated_normal(array({-1.0f, 0.0f}), array(1.0f), float32, key));
  show("gumbel", random::gumbel({3}, float32, key));
  array logits({0.1f, 2.0f, 0.3f});
  show("categorical", random::categorical(logits, -1, key));
  show("categorical samples", random::categorical(logits, -1, 4, key));
  show("categorical shape", random::categorical(logits, -1, Shape{2}, key));
  show("laplace", random::laplace({3}, key));
  show("laplace as", random::laplace({3}, float16, key));
  show("laplace loc", random::laplace({3}, 1.0f, 2.0f, key));
  show("laplace all", random::laplace({3}, float32, 1.0f, 2.0f, key));
  show("permutation", random::permutation(5, key));
  show("permutation array", random::permutation(reshape(arange(6), {3, 2}), 0, key));
  random::seed(3);
  show("seeded", random::uniform({2}));
  show("seeded next", random::normal({2}));
  random::KeySequence sequence(5);
  show("sequence", sequence.next());
  show("sequence next", sequence.next());
  sequence.seed(5);
  show("sequence again", sequence.next());
  random::seed(3);
  show("default sequence", random::KeySequence::default_().next());
  show("after it", random::uniform({2}));
}

}  // namespace

int main() {
  products();
  convolutions();
  linear_algebra();
  fourier();
  fused();
  random_numbers();
}
