#include "core/stream.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <mutex>
#include <ostream>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/per_thread.h"

namespace heddle {
namespace {

// Owners of streams by index: a thread's number, or one of these.
constexpr int64_t anyone = -1;
constexpr int64_t formerly(int64_t thread) { return -2 - thread; }  // which let go of it

struct Registry {
  std::mutex mutex;
  std::vector<int64_t> owners;
  std::vector<Backend*> backends;  // null: that of the device
  int thread_local_handles = 0;
};

Registry& registry() {
  static auto* r = new Registry;
  return *r;
}

int make_stream(int64_t owner, Backend* backend = nullptr) {
  Registry& r = registry();
  std::lock_guard<std::mutex> lock(r.mutex);
  r.owners.push_back(owner);
  r.backends.push_back(backend);
  return static_cast<int>(r.owners.size()) - 1;
}

struct Thread {
  int64_t number;
  int64_t acting_for;  // itself, unless it works for another thread
  int default_stream = -1;
  int last_checked = -1;  // a stream that this thread may use
  Backend* last_backend = nullptr;
  std::map<int, int> of_handle;
  std::vector<int> owned;

  Thread() {
    static std::atomic<int64_t> count{0};
    number = acting_for = count++;
  }
  ~Thread() { clear(); }
  int make(Backend* backend = nullptr) {
    owned.push_back(make_stream(number, backend));
    return owned.back();
  }
  int current() {
    if (default_stream < 0) default_stream = make();
    return default_stream;
  }
  void clear() {
    Registry& r = registry();
    std::lock_guard<std::mutex> lock(r.mutex);
    for (int s : owned) r.owners[static_cast<size_t>(s)] = formerly(number);
    owned.clear();
    of_handle.clear();
    default_stream = last_checked = -1;
  }
};

Thread& this_thread() { return per_thread<Thread>(); }

std::atomic<Device>& default_device_slot() {
  static std::atomic<Device> d{Device{}};
  return d;
}

const char* type_name(Device::Type t) { return t == Device::Type::cpu ? "cpu" : "gpu"; }

void require_cpu(const char* op, const char* what, const Device& d) {
  if (d.type != Device::Type::cpu) {
    throw std::invalid_argument(fmt::format("[{}] Cannot {} without gpu backend.", op, what));
  }
}

}  // namespace

Backend* check_stream(int index) {
  Thread& t = this_thread();
  if (index == t.last_checked) return t.last_backend;
  Registry& r = registry();
  std::lock_guard<std::mutex> lock(r.mutex);
  int64_t owner = r.owners[static_cast<size_t>(index)];
  const bool acting = t.acting_for != t.number;
  if (owner != anyone && owner != t.number &&
      !(acting && (owner == t.acting_for || owner == formerly(t.acting_for)))) {
    throw WrongThread(fmt::format("There is no Stream(cpu, {}) in current thread.", index));
  }
  t.last_checked = index;
  return t.last_backend = r.backends[static_cast<size_t>(index)];
}

Stream make_stream_on(Backend& backend, bool everybodys) {
  this_thread().current();  // the default stream comes first in the count
  return Stream{everybodys ? make_stream(anyone, &backend) : this_thread().make(&backend),
                Device{}};
}

int64_t this_thread_number() { return this_thread().number; }

ActingForThread::ActingForThread(int64_t number) {
  this_thread().acting_for = number;
  this_thread().last_checked = -1;
}

ActingForThread::~ActingForThread() {
  this_thread().acting_for = this_thread().number;
  this_thread().last_checked = -1;
}

Stream to_stream(const StreamOrDevice& s) {
  switch (s.kind) {
    case StreamOrDevice::Kind::none:
      return Stream{this_thread().current(), Device{}};
    case StreamOrDevice::Kind::stream:
      return Stream{s.index, s.device};
    case StreamOrDevice::Kind::device:
      return default_stream(s.device);
    case StreamOrDevice::Kind::thread_local_stream: {
      auto [at, added] = this_thread().of_handle.try_emplace(s.index, -1);
      if (added) at->second = this_thread().make();
      return Stream{at->second, s.device};
    }
  }
  return {};
}

// A copy for each thread, because another may set it meanwhile.
const Device& default_device() {
  thread_local Device seen;
  return seen = default_device_slot();
}

void set_default_device(const Device& d) {
  require_cpu("set_default_device", "set gpu device", d);
  default_device_slot() = d;
}

bool is_available(const Device& d) { return d.type == Device::Type::cpu; }
int device_count(Device::Type type) { return type == Device::Type::cpu ? 1 : 0; }

DeviceInfo device_info() {
  DeviceInfo info{"unknown", "CPU"};
  utsname machine;
  if (uname(&machine) == 0) info.architecture = machine.machine;
  std::ifstream processors("/proc/cpuinfo");
  for (std::string line; std::getline(processors, line);) {
    size_t colon = line.find(':');
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      info.name = line.substr(std::min(colon + 2, line.size()));
      break;
    }
  }
  return info;
}

Stream default_stream(const Device& d) {
  require_cpu("default_stream", "get gpu stream", d);
  return Stream{this_thread().current(), d};
}

void set_default_stream(const Stream& s) {
  require_cpu("set_default_stream", "set gpu stream", s.device);
  this_thread().default_stream = s.index;
}

Stream new_stream(const Device& d) {
  require_cpu("new_stream", "make gpu stream", d);
  this_thread().current();  // the default stream comes first in the count
  return Stream{this_thread().make(), d};
}

Stream new_thread_unsafe_stream(const Device& d) {
  require_cpu("new_stream", "make gpu stream", d);
  this_thread().current();
  return Stream{make_stream(anyone), d};
}

ThreadLocalStream new_thread_local_stream(const Device& d) {
  require_cpu("new_stream", "make gpu stream", d);
  Registry& r = registry();
  std::lock_guard<std::mutex> lock(r.mutex);
  return ThreadLocalStream{r.thread_local_handles++, d};
}

std::vector<Stream> get_streams() {
  Thread& t = this_thread();
  t.current();
  Registry& r = registry();
  std::lock_guard<std::mutex> lock(r.mutex);
  std::vector<Stream> streams;
  for (size_t i = 0; i < r.owners.size(); i++) {
    if (r.owners[i] == anyone || r.owners[i] == t.number) {
      streams.push_back(Stream{static_cast<int>(i), Device{}});
    }
  }
  return streams;
}

void clear_streams() { this_thread().clear(); }

StreamContext::StreamContext(StreamOrDevice s)
    : previous_(default_stream(Device{})), previous_device_(default_device()) {
  Stream stream = to_stream(s);
  set_default_device(stream.device);
  set_default_stream(stream);
}

StreamContext::~StreamContext() {
  default_device_slot() = previous_device_;
  this_thread().default_stream = previous_.index;
}

DefaultStreamScope::DefaultStreamScope(const Stream& s)
    : previous_(std::exchange(this_thread().default_stream, s.index)) {}
DefaultStreamScope::~DefaultStreamScope() { this_thread().default_stream = previous_; }

std::string to_string(const Device& d) {
  return fmt::format("Device({}, {})", type_name(d.type), d.index);
}
std::string to_string(const Stream& s) {
  return fmt::format("Stream({}, {})", to_string(s.device), s.index);
}
std::string to_string(const ThreadLocalStream& s) {
  return fmt::format("ThreadLocalStream({}, {})", to_string(s.device), s.index);
}

std::ostream& operator<<(std::ostream& stream, const Device& d) { return stream << to_string(d); }
std::ostream& operator<<(std::ostream& stream, const Stream& s) { return stream << to_string(s); }

}  // namespace heddle
