// Devices, streams and the context manager that makes one the default.
#include <nanobind/stl/unique_ptr.h>

#include <map>
#include <memory>

#include "bind.h"
#include "core/threads.h"

namespace heddle::python {
namespace {

// The class of `with mx.stream(s)`: enters the engine's StreamContext.
class PythonStreamContext {
 public:
  explicit PythonStreamContext(const StreamOrDevice& target) : target_(target) {
    if (target.kind == StreamOrDevice::Kind::none) {
      throw nb::type_error("stream(): a stream or a device is wanted.");
    }
  }
  PythonStreamContext(const PythonStreamContext&) = delete;
  void enter() { entered_.push_back(std::make_unique<StreamContext>(target_)); }
  void exit() {
    if (!entered_.empty()) entered_.pop_back();
  }

 private:
  StreamOrDevice target_;
  std::vector<std::unique_ptr<StreamContext>> entered_;  // one object may be entered again
};

nb::dict device_info(const StreamOrDevice& d) {
  nb::dict info;
  if (d.device.type != Device::Type::cpu) return info;
  DeviceInfo known = heddle::device_info();
  info["architecture"] = known.architecture;
  info["device_name"] = known.name;
  return info;
}

Device device_of(const StreamOrDevice& d) {
  return d.kind == StreamOrDevice::Kind::none ? default_device() : d.device;
}

// Equality with the same class or something convertible to it, and a hash that goes with it.
template <class T, class C>
void bind_identity(C& c, Device (*device_of_it)(const T&)) {
  c.def("__repr__", [](const T& x) { return to_string(x); });
  c.def(
      "__eq__",
      [](const T& x, nb::handle other) {
        const T* y = nullptr;
        if (nb::try_cast(other, y, false) && y) return x == *y;
        if constexpr (std::is_same_v<T, Device>) {
          Device::Type type;
          if (nb::try_cast(other, type, false)) return x == Device{type, 0};
        }
        return false;
      },
      nb::arg().none(), nb::sig("def __eq__(self, other: object, /) -> bool"));
  c.def("__hash__", [device_of_it](const T& x) {
    Device d = device_of_it(x);
    return (static_cast<int64_t>(x.index) << 8) + (d.index << 1) + static_cast<int>(d.type);
  });
}

void bind_classes(nb::module_& m) {
  nb::enum_<Device::Type>(m, "DeviceType", "A kind of device.")
      .value("cpu", Device::Type::cpu)
      .value("gpu", Device::Type::gpu)
      .export_values();
  nb::class_<Device> device(m, "Device", "A device to run operations on.");
  device
      .def(
          "__init__",
          [](Device* d, Device::Type type, int index) {
            new (d) Device{type, index};
          },
          "type"_a, "index"_a = 0)
      .def_ro("type", &Device::type, "The :class:`DeviceType`.")
      .def_ro("index", &Device::index, "The number of the device among those of its type.");
  bind_identity<Device>(device, [](const Device& d) { return d; });
  // A device never changes: a copy is the same object.
  device.def("__copy__", [](nb::handle self) { return nb::borrow(self); })
      .def(
          "__deepcopy__", [](nb::handle self, nb::handle) { return nb::borrow(self); }, "memo"_a)
      .def("__reduce__", [](nb::handle self) {
        return nb::make_tuple(self.type(), nb::make_tuple(self.attr("type"), self.attr("index")));
      });
  nb::class_<Stream> stream(m, "Stream", R"(
An ordered queue of work on a device. It belongs to the thread that made it.)");
  stream.def_ro("device", &Stream::device, "The :class:`Device`.")
      .def_ro("index", &Stream::index, "The number of the stream.");
  bind_identity<Stream>(stream, [](const Stream& s) { return s.device; });
  nb::class_<ThreadLocalStream> local(m, "ThreadLocalStream",
                                      "Stands for a separate stream in each thread.");
  local.def_ro("device", &ThreadLocalStream::device, "The :class:`Device`.")
      .def_ro("index", &ThreadLocalStream::index, "The number of the handle.");
  bind_identity<ThreadLocalStream>(local, [](const ThreadLocalStream& s) { return s.device; });
}

void bind_devices(nb::module_& m) {
  m.def("default_device", &default_device, "The default device.");
  m.def(
      "set_default_device", [](const StreamOrDevice& d) { set_default_device(d.device); },
      "device"_a, nb::sig("def set_default_device(device: Device | DeviceType) -> None"),
      "Sets the default device. Raises ValueError for a device that this build does not have.");
  m.def(
      "is_available", [](const StreamOrDevice& d) { return is_available(d.device); }, "device"_a,
      nb::sig("def is_available(device: Device | DeviceType) -> bool"),
      "Whether this build can run on the device.");
  m.def("_num_threads", &num_threads, nb::sig("def _num_threads() -> int"));  // `heddle devices`
  m.def("device_count", &device_count, "device_type"_a,
        "The number of devices of a type; 0 for a type that this build does not have.");
  m.def(
      "device_info", [](const StreamOrDevice& d) { return device_info(d); },
      nb::arg("d") = nb::none(),
      nb::sig("def device_info(d: Device | DeviceType | None = None) -> dict[str, str | int]"),
      "What is known of a device: architecture and device_name.");
}

void bind_streams(nb::module_& m) {
  m.def(
      "default_stream", [](const StreamOrDevice& d) { return default_stream(d.device); },
      "device"_a, nb::sig("def default_stream(device: Device | DeviceType) -> Stream"),
      "The calling thread's default stream on a device.");
  m.def(
      "set_default_stream", [](const StreamOrDevice& s) { set_default_stream(to_stream(s)); },
      "stream"_a, nb::sig("def set_default_stream(stream: Stream | ThreadLocalStream) -> None"),
      "Sets the calling thread's default stream.");
  m.def(
      "new_stream", [](const StreamOrDevice& d) { return new_stream(device_of(d)); },
      nb::arg("device") = nb::none(),
      nb::sig("def new_stream(device: Device | DeviceType | None = None) -> Stream"),
      "Makes a stream that belongs to the calling thread.");
  m.def(
      "new_thread_unsafe_stream",
      [](const StreamOrDevice& d) { return new_thread_unsafe_stream(device_of(d)); },
      nb::arg("device") = nb::none(),
      nb::sig("def new_thread_unsafe_stream(device: Device | DeviceType | None = None) -> Stream"),
      "Makes a stream that any thread may use, one at a time.");
  m.def(
      "new_thread_local_stream",
      [](const StreamOrDevice& d) { return new_thread_local_stream(device_of(d)); },
      nb::arg("device") = nb::none(),
      nb::sig("def new_thread_local_stream(device: Device | DeviceType | None = None) -> "
              "ThreadLocalStream"),
      "Makes a handle that stands for a separate stream in each thread.");
  m.def("clear_streams", &clear_streams, nb::call_guard<ReleaseGil>(),
        "Ends all streams of the calling thread; its default stream is made anew.");
  m.def(
      "synchronize",
      [](const StreamOrDevice& s) {
        if (s.kind == StreamOrDevice::Kind::none) {
          synchronize();
        } else {
          synchronize(to_stream(s));
        }
      },
      nb::arg("stream") = nb::none(), nb::call_guard<ReleaseGil>(), R"(
Waits for the work of a stream, or of the calling thread's default streams.

Raises RuntimeError with the first error that the work met.)");

  nb::class_<PythonStreamContext>(m, "StreamContext", R"(
Makes a stream or device the default inside a ``with`` block.)")
      .def(
          "__init__",
          [](PythonStreamContext* c, const StreamOrDevice& s) { new (c) PythonStreamContext(s); },
          "s"_a)
      .def("__enter__", &PythonStreamContext::enter)
      .def("__exit__", [](PythonStreamContext& c, const nb::args&) { c.exit(); });
  m.def(
      "stream", [](const StreamOrDevice& s) { return std::make_unique<PythonStreamContext>(s); },
      "s"_a,
      nb::sig("def stream(s: Stream | ThreadLocalStream | Device | DeviceType) -> StreamContext"),
      "A context manager in which `s` is the default stream and device.");
}

}  // namespace

void bind_device(nb::module_& m) {
  bind_classes(m);
  bind_devices(m);
  bind_streams(m);
}

}  // namespace heddle::python
