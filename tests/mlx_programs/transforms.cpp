// Derivatives, batching, compilation, own rules; files, functions as files; devices, streams,
// memory, printing.
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "mlx/compile.h"
#include "mlx/export.h"
#include "mlx/graph_utils.h"
#include "mlx/memory.h"
#include "mlx/version.h"
#include "show.h"

using namespace mlx::core;

namespace {

void derivatives() {
  auto f = [](const array& x) { return sum(x * x * x); };
  auto list = [](const std::vector<array>& x) {
    return std::vector<array>{x[0] * x[1], exp(x[0])};
  };
  auto loss = [](const std::vector<array>& x) { return sum(square(x[0] - x[1])); };
  array x({1.0f, 2.0f}), y({3.0f, 5.0f});
  show("grad", grad(f)(x));
  show("second grad", grad([&](const array& z) { return sum(grad(f)(z)); })(x));
  show("grad of list", grad(loss)({x, y}));
  show("grad argnum", grad(loss, 1)({x, y}));
  show("grad argnums", grad(loss, {0, 1})({x, y}));
  show("value_and_grad", value_and_grad(f)(x));
  auto [value, gradients] = value_and_grad(loss, {0, 1})({x, y});
  show("value", value);
  show("gradients", gradients);
  show("value_and_grad argnum", value_and_grad(loss, 1)({x, y}).second);
  auto several = [](const std::vector<array>& z) {
    return std::vector<array>{sum(z[0] * z[1]), z[0] + 1};
  };
  auto [values, of_first] = value_and_grad(several)({x, y});
  show("values", values);
  show("of the first", of_first);
  show("value_and_grad list argnums", value_and_grad(several, {1})({x, y}).second);
  auto [outs, vjps] = vjp(list, {x, y}, {ones({2}), ones({2})});
  show("vjp outputs", outs);
  show("vjp", vjps);
  show("vjp unary", vjp([](const array& z) { return sin(z); }, x, array({1.0f, 2.0f})));
  auto [outs2, jvps] = jvp(list, {x, y}, {ones({2}), ones({2})});
  show("jvp", jvps);
  show("jvp unary", jvp([](const array& z) { return sin(z); }, x, ones({2})));
  std::function<array(const array&)> typed = [](const array& z) { return sum(exp(z)); };
  show("grad of a function object", grad(typed)(x));
  show("checkpoint", checkpoint(list)({x, y}));
}

void batching() {
  auto add_all = [](const std::vector<array>& x) { return std::vector<array>{x[0] + x[1]}; };
  array m = reshape(arange(6), {2, 3}), v({1, 10, 100});
  show("vmap", vmap([](const array& x) { return sum(x); })(m));
  show("vmap axis", vmap([](const array& x) { return x * 2; }, 1, 0)(m));
  show("vmap two", vmap([](const array& a, const array& b) { return a * b; }, 0, -1)(m, v));
  show("vmap list", vmap(add_all, {0, -1})({zeros({3}), v}));
  show("vmap list axes", vmap(add_all, {1, 0}, {1})({m, v}));
  show("vmap default", vmap(add_all)({v, v}));
  refused("vmap out of range", [&] { vmap(add_all, {0, 5})({m, v}); });
  refused("vmap sizes", [&] { vmap(add_all)({m, v}); });
}

void own_rules() {
  array x({1.0f, 2.0f});
  auto square_it = [](const std::vector<array>& z) { return std::vector<array>{z[0] * z[0]}; };
  auto rule = [](const std::vector<array>& primals, const std::vector<array>& cotangents,
                 const std::vector<array>&) {
    return std::vector<array>{primals[0] * cotangents[0] * 100};
  };
  auto custom = custom_vjp(square_it, rule);
  show("custom_vjp value", custom({x}));
  show("custom_vjp", vjp(custom, {x}, {ones({2})}).second);
  auto more = custom_function(
      square_it, rule,
      [](const std::vector<array>& primals, const std::vector<array>& tangents,
         const std::vector<int>&) { return std::vector<array>{primals[0] * tangents[0] * 7}; },
      [](const std::vector<array>& inputs, const std::vector<int>& axes) {
        return std::pair<std::vector<array>, std::vector<int>>{{inputs[0] + 1}, axes};
      });
  show("custom jvp", jvp(more, {x}, {ones({2})}).second);
  show("custom vmap", vmap(more)({x}));
  show("custom_function plain", custom_function(square_it)({x}));
}

std::vector<array> doubled(const std::vector<array>& x) { return {x[0] + x[0]}; }

void compiling() {
  array x({1.0f, 2.0f});
  show("compile lambda",
       compile([](const std::vector<array>& z) { return std::vector<array>{exp(z[0]) + 1}; })({x}));
  show("compile function", compile(doubled)({x}));
  float k = 3;
  std::function<std::vector<array>(const std::vector<array>&)> closure =
      [k](const std::vector<array>& z) { return std::vector<array>{z[0] * k}; };
  auto compiled = compile(closure, true);
  show("compile shapeless", compiled({x}));
  show("compile other shape", compiled({ones({3})}));
  show("grad of compiled", vjp(compiled, {x}, {ones({2})}).second);
  disable_compile();
  show("disabled", compile(doubled)({x}));
  enable_compile();
  set_compile_mode(CompileMode::no_fuse);
  show("no_fuse", compile(doubled)({x}));
  set_compile_mode(CompileMode::enabled);
  array y = x * 2, z = y + 1;
  eval(y, z);
  show("eval", z);
  array late = z * 2;
  async_eval(late);
  show("async_eval", late);
  eval({y, z});
  async_eval(std::vector<array>{late});
}

struct Memory : io::Reader {
  explicit Memory(std::string bytes) : bytes_(std::move(bytes)) {}
  bool is_open() const override { return true; }
  bool good() const override { return true; }
  size_t tell() override { return at_; }
  void seek(int64_t offset, std::ios_base::seekdir way) override {
    at_ = way == std::ios_base::beg   ? offset
          : way == std::ios_base::cur ? at_ + offset
                                      : bytes_.size() + offset;
  }
  void read(char* data, size_t n) override {
    read(data, n, at_);
    at_ += n;
  }
  void read(char* data, size_t n, size_t offset) override {
    if (offset + n > bytes_.size()) throw std::runtime_error("[read] end");
    std::memcpy(data, bytes_.data() + offset, n);
  }
  std::string label() const override { return "memory"; }
  std::string bytes_;
  size_t at_ = 0;
};
struct Collector : io::Writer {
  bool is_open() const override { return true; }
  bool good() const override { return true; }
  size_t tell() override { return bytes.size(); }
  void seek(int64_t, std::ios_base::seekdir) override {}
  void write(const char* data, size_t n) override { bytes.append(data, n); }
  std::string label() const override { return "memory"; }
  std::string bytes;
};

void files(const std::string& folder) {
  array a({1.0f, 2.0f, 3.0f});
  save(folder + "/a.npy", a);
  show("load", load(folder + "/a.npy"));
  save_safetensors(folder + "/s.safetensors", {{"x", a}, {"y", array({1, 2})}}, {{"by", "me"}});
  auto [arrays, metadata] = load_safetensors(folder + "/s.safetensors");
  show("safetensors", arrays.at("x"));
  show("safetensors ints", arrays.at("y"));
  tell("metadata", metadata.at("by"));
  save_safetensors(folder + "/t", {{"x", a}});
  show("suffix added", load_safetensors(folder + "/t.safetensors").first.at("x"));
  save_gguf(folder + "/g.gguf", {{"w", a}}, {{"name", std::string("model")}, {"n", array(3)}});
  GGUFLoad gguf = load_gguf(folder + "/g.gguf");
  show("gguf", gguf.first.at("w"));
  tell("gguf text", std::get<std::string>(gguf.second.at("name")));
  show("gguf number", std::get<array>(gguf.second.at("n")));

  auto collector = std::make_shared<Collector>();
  save(collector, a);
  show("load from memory", load(std::make_shared<Memory>(collector->bytes)));
  auto packed = std::make_shared<Collector>();
  save_safetensors(packed, {{"x", a * 2}});
  show("safetensors from memory",
       load_safetensors(std::make_shared<Memory>(packed->bytes)).first.at("x"));
#ifdef ON_HEDDLE  // MLX declares them and keeps them out of its library's interface
  show("file reader", load(std::make_shared<io::ParallelFileReader>(folder + "/a.npy")));
#endif
  {
    auto writer = std::make_shared<io::FileWriter>(folder + "/w.npy");
    save(writer, a);
  }
  show("file writer", load(folder + "/w.npy"));

  std::ofstream(folder + "/damaged.safetensors") << "not a file of tensors at all";
  std::ofstream(folder + "/damaged.npy") << "not an array";
  refused("damaged safetensors", [&] { load_safetensors(folder + "/damaged.safetensors"); });
  refused("damaged npy", [&] { load(folder + "/damaged.npy"); });
  refused("missing safetensors", [&] { load_safetensors(folder + "/missing.safetensors"); });
  refused("missing npy", [&] { load(folder + "/missing.npy"); });
  refused("missing function", [&] { import_function(folder + "/missing.mlxfn"); });
}

void functions_as_files(const std::string& folder) {
  array x({1.0f, 2.0f});
  auto f = [](const Args& args) { return std::vector<array>{exp(args[0]) + args[1]}; };
  export_function(folder + "/f.mlxfn", f, {x, array(1.0f)});
  auto imported = import_function(folder + "/f.mlxfn");
  show("imported", imported({x, array(1.0f)}));
  auto named = [](const Kwargs& kwargs) {
    return std::vector<array>{kwargs.at("x") * kwargs.at("y")};
  };
  export_function(folder + "/named.mlxfn", named, {{"x", x}, {"y", x}});
  auto by_name = import_function(folder + "/named.mlxfn");
  show("imported by name", by_name(Kwargs{{"x", x}, {"y", array({3.0f, 4.0f})}}));
  auto both = [](const Args& args, const Kwargs& kwargs) {
    return std::vector<array>{args[0] - kwargs.at("by")};
  };
  export_function(folder + "/both.mlxfn", both, {x}, {{"by", x}}, true, "notes");
  auto mixed = import_function(folder + "/both.mlxfn");
  show("imported both", mixed({ones({3})}, {{"by", array({1.0f, 2.0f, 3.0f})}}));
  tell("metadata of it", mixed.metadata());
  refused("arguments that do not fit", [&] { imported({x}); });
  {
    auto write = exporter(folder + "/many.mlxfn", f);
    write({x, array(1.0f)});
    write({ones({3}), array(1.0f)});
    write.close();
  }
  auto many = import_function(folder + "/many.mlxfn");
  show("first trace", many({x, array(2.0f)}));
  show("second trace", many({ones({3}), array(2.0f)}));
  {
    auto write = exporter(folder + "/manynamed.mlxfn", named);
    write({{"x", x}, {"y", x}});
    write.close();
    auto writes = exporter(folder + "/manyboth.mlxfn", both, true);
    writes({x}, {{"by", x}});
    writes.close();
  }
  show("named trace", import_function(folder + "/manynamed.mlxfn")(Kwargs{{"x", x}, {"y", x}}));
  std::vector<std::string> seen;
  ExportCallback callback = [&](const ExportCallbackInput& record) {
    std::string type = std::get<std::string>(record.at("type"));
    if (type == "primitive") type = std::get<std::string>(record.at("name"));
    seen.push_back(type);
    if (type == "inputs") {
      auto inputs =
          std::get<std::vector<std::tuple<std::string, Shape, Dtype>>>(record.at("inputs"));
      tell("callback shape", std::get<1>(inputs[0]));
      tell("callback dtype", std::get<2>(inputs[0]));
    }
  };
  export_function(callback, f, {x, x});
  std::string all;
  for (auto& s : seen) all += s + ",";
  tell("callback", all);
}

void system() {
  tell("device", default_device());
  tell("device is", default_device() == Device::cpu);
  tell("device equal", Device(Device::cpu) == Device(Device::cpu, 0));
  tell("device order", Device(Device::cpu) < Device(Device::gpu));
  tell("device available", is_available(Device::cpu));
  tell("gpu available", is_available(Device(Device::gpu)));
  tell("cpus", device_count(Device::cpu));
  tell("gpus", device_count(Device::gpu));
  tell("device info", device_info().size());
  tell("gpu info", device_info(Device::gpu).size());
  tell("metal", metal::is_available());
  tell("gpu", gpu::is_available());
  tell("gpu count", gpu::device_count());
  tell("cuda", cu::is_available());
  refused("metallib", [] { metal::set_metallib_path("somewhere"); });
  refused("metallib path", [] { tell("path", metal::get_metallib_path()); });
  refused("metal info", [] { metal::device_info(); });
  refused("capture", [] { metal::start_capture("trace"); });
  refused("end of capture", [] { metal::stop_capture(); });
  std::thread([] {
    exp(array(1.0f)).item<float>();
    clear_streams();
  }).join();
  set_default_device(Device::cpu);
  refused("gpu as default", [] { set_default_device(Device::gpu); });
  Stream s = default_stream(Device::cpu);
  Stream t = new_stream(Device::cpu);
  tell("stream", s);
  tell("streams differ", !(s == t));
  tell("stream order", s < t);
  tell("to_stream", to_stream(Device(Device::cpu)) == s);
  tell("to_stream default", to_stream({}, Device::cpu) == s);
  tell("peek", peek_default_stream(Device::cpu) == s);
  tell("listed", get_streams().size() >= 2);
  set_default_stream(t);
  tell("default now", default_stream(Device::cpu) == t);
  set_default_stream(s);
  {
    StreamContext context(t);
    tell("in context", default_stream(Device::cpu) == t);
  }
  tell("after context", default_stream(Device::cpu) == s);
  refused("no context", [] { StreamContext context(StreamOrDevice{}); });
  show("on a stream", exp(array({1.0f}), t));
  show("on a device", add(array(1), array(2), Device::cpu));
  show("on cpu", zeros({2}, Device::cpu));
  StreamOrDevice nothing;
  tell("monostate", std::holds_alternative<std::monostate>(nothing));
  tell("holds", std::get<Device>(StreamOrDevice(Device(Device::cpu))));
  synchronize();
  synchronize(t);
  ThreadLocalStream local = new_thread_local_stream(Device::cpu);
  synchronize(local);
  tell("of this thread", stream_from_thread_local_stream(local).device);
  Stream shared = new_thread_unsafe_stream(Device::cpu);
  std::thread([&] { show("in a thread", array(1.0f) + array(2.0f)); }).join();
  show("on a shared stream", add(array(1), array(2), shared));

  tell("active", get_active_memory() > 0);
  tell("peak", get_peak_memory() >= get_active_memory());
  reset_peak_memory();
  tell("cache", get_cache_memory() + 1 > 0);
  size_t limit = set_memory_limit(size_t{1} << 33);
  tell("limit", get_memory_limit());
  set_memory_limit(limit);
  size_t cache = set_cache_limit(1 << 20);
  tell("cache limit", set_cache_limit(cache));
  clear_cache();
  set_wired_limit(0);
  array kept = zeros({4}) + 1;
  eval(kept);
  tell("buffer size", get_array_buffer_size({kept, kept}) >= 16);

  std::ostringstream graph, picture;
  array x({1.0f, 2.0f}), y = exp(x) * x;
  NodeNamer namer;
  namer.set_name(x, "x");
  tell("name", namer.get_name(x));
  print_graph(graph, namer, y);
  print_graph(graph, y);
  tell("graph", graph.str().find("Inputs: x [(2), float32]") != std::string::npos);
  tell("graph has", graph.str().find("Exp") != std::string::npos);
  export_to_dot(picture, y);
  export_to_dot(picture, namer, y);
  export_to_dot(picture, std::vector<array>{y});
  tell("picture", picture.str().substr(0, 9));

  std::ostringstream text;
  text << array({1.23456f, 2.0f}) << array({true, false}) << zeros({2, 0}) << arange(10)
       << array(std::complex<float>(1, -2)) << float32 << Shape{1, 2}
       << reshape(arange(8), {2, 2, 2});
  set_printoptions({2});
  text << array({1.23456f, 2.0f});
  set_printoptions({-1});
  get_global_formatter().capitalize_bool = true;
  text << array({true, false});
  get_global_formatter().capitalize_bool = false;
  std::string lines = text.str();
  for (char& c : lines) {
    if (c == '\n') c = '|';
  }
  tell("printed", lines);
  tell("power of 2", is_power_of_2(8) && !is_power_of_2(9));
  tell("next power of 2", next_power_of_2(9));
#ifdef ON_HEDDLE
  get_global_formatter().print(std::cout, true);
  get_global_formatter().print(std::cout, 1.5f);
  tell("main thread", is_main_thread());
  tell("environment", env::get_var("MLX_NO_SUCH_VARIABLE", 7));
  tell("settings", env::bfs_max_width() + env::max_ops_per_buffer(1) + env::max_mb_per_buffer(2) +
                       env::residency_set_max_pct() + env::residency_debug() +
                       env::metal_fast_synch() + env::enable_tf32() + env::nccl_timeout(3));
  tell("architecture of no GPU", env::metal_gpu_arch());
#endif
  tell("version", MLX_VERSION_NUMERIC > 0 && std::strlen(version()) > 0);
}

}  // namespace

int main(int, char** arguments) {
  std::string folder = arguments[1];
  derivatives();
  batching();
  own_rules();
  compiling();
  files(folder);
  functions_as_files(folder);
  system();
}
