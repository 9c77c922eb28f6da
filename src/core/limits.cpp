#include "core/limits.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <sstream>
#include <vector>

namespace heddle {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Whole cores of one group, at least 1; 0 if it has no quota.
int quota_of(const std::string& folder) {
  double quota = 0, period = 0;
  std::istringstream both(text_of(folder + "/cpu.max"));  // "max 100000" is no quota
  if (!(both >> quota >> period)) {
    std::istringstream(text_of(folder + "/cpu.cfs_quota_us")) >> quota;  // -1 is no quota
    std::istringstream(text_of(folder + "/cpu.cfs_period_us")) >> period;
  }
  if (quota <= 0 || period <= 0) return 0;
  return static_cast<int>(std::clamp(quota / period, 1.0, 1e6));
}

int affinity_cores() {
  // The kernel wants room for as many cores as it was built for.
  for (int most = CPU_SETSIZE; most <= 1 << 20; most *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(most));
    if (!set) break;
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(most));
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    const int cores = known ? CPU_COUNT_S(bytes, set) : 0;
    const bool larger = !known && errno == EINVAL;
    CPU_FREE(set);
    if (cores > 0) return cores;
    if (!larger) break;
  }
  return static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
}

// The bytes that OMP_STACKSIZE or GOMP_STACKSIZE say, 0 without: a number, and B, K (without a
// letter), M or G.
size_t openmp_stack() {
  for (const char* name : {"OMP_STACKSIZE", "GOMP_STACKSIZE"}) {
    const char* text = std::getenv(name);
    if (!text) continue;
    char* end = nullptr;
    const unsigned long number = std::strtoul(text, &end, 10);
    while (*end == ' ') end++;
    const char unit = static_cast<char>(*end & ~0x20);
    return size_t{number} << (unit == 'B' ? 0 : unit == 'M' ? 20 : unit == 'G' ? 30 : 10);
  }
  return 0;
}

// A thread that waits until it may end.
struct Gate {
  std::mutex mutex;
  std::condition_variable opened;
  bool open = false;
};

void* wait_at(void* context) {
  auto& gate = *static_cast<Gate*>(context);
  std::unique_lock<std::mutex> lock(gate.mutex);
  gate.opened.wait(lock, [&] { return gate.open; });
  return nullptr;
}

}  // namespace

bool can_map(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  munmap(memory, bytes);
  return true;
}

void set_thread_stack(pthread_attr_t& attributes) {
  // The system has a least size, and takes no less.
  if (const size_t bytes = openmp_stack()) pthread_attr_setstacksize(&attributes, bytes);
}

int startable_threads(int wanted) {
  Gate gate;
  std::vector<pthread_t> threads(static_cast<size_t>(wanted));
  // What starting threads takes besides their stacks.
  constexpr size_t margin = size_t{1} << 20;
  if (!can_map(margin)) return 0;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return 0;
  int started = 0;
  while (started < wanted &&
         pthread_create(&threads[static_cast<size_t>(started)], &attributes, wait_at, &gate) == 0) {
    started++;
  }
  pthread_attr_destroy(&attributes);
  // As many as leave some memory besides.
  const bool enough = can_map(margin);
  {
    std::lock_guard<std::mutex> lock(gate.mutex);
    gate.open = true;
  }
  gate.opened.notify_all();
  for (int i = 0; i < started; i++) pthread_join(threads[static_cast<size_t>(i)], nullptr);
  return enough ? started : std::max(0, started - 1);
}

int cgroup_cores(const std::string& membership, const std::string& mounted) {
  int least = 0;
  auto look = [&](const std::string& mount, std::string path) {
    // In a container the path may be one of the host, of which only the root is mounted.
    for (;;) {
      if (const int quota = quota_of(mount + path)) least = least ? std::min(least, quota) : quota;
      const size_t slash = path.rfind('/');
      if (path.empty() || slash == std::string::npos) return;
      path.resize(slash);
    }
  };
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {  // hierarchy:controllers:path
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) look(mounted, path);
    if (fmt::format(",{},", controllers).find(",cpu,") != std::string::npos) {
      look(fmt::format("{}/{}", mounted, controllers), path);
      look(mounted + "/cpu", path);
    }
  }
  return least;
}

int available_cores() {
  const int quota = cgroup_cores(text_of("/proc/self/cgroup"), "/sys/fs/cgroup");
  const int cores = affinity_cores();
  return quota > 0 ? std::min(quota, cores) : cores;
}

}  // namespace heddle
