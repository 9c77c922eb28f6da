// What the system lets the process have: quotas of control groups, memory, threads.
#include <doctest/doctest.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/limits.h"
#include "core/threads.h"

namespace heddle {
namespace {

namespace fs = std::filesystem;

// A folder in the place of /sys/fs/cgroup.
struct Groups {
  fs::path root;
  Groups() {
    char name[] = "/tmp/heddle-groups-XXXXXX";
    root = mkdtemp(name);
  }
  ~Groups() { fs::remove_all(root); }
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text;
  }
  int cores(const std::string& membership) { return cgroup_cores(membership, root.string()); }
};

TEST_CASE("quotas of control groups") {
  Groups groups;
  CHECK(groups.cores("0::/\n") == 0);
  CHECK(groups.cores("") == 0);
  CHECK(groups.cores("nonsense") == 0);
  groups.write("a/b/cpu.max", "max 100000\n");
  CHECK(groups.cores("0::/a/b\n") == 0);
  groups.write("a/cpu.max", "350000 100000\n");
  CHECK(groups.cores("0::/a/b\n") == 3);  // the least along the path
  groups.write("a/b/cpu.max", "50000 100000\n");
  CHECK(groups.cores("0::/a/b\n") == 1);
  CHECK(groups.cores("0::/elsewhere/that/is/not/mounted\n") == 0);
  groups.write("cpu.max", "400000 100000\n");
  CHECK(groups.cores("0::/elsewhere/that/is/not/mounted\n") == 4);

  Groups first;  // version 1
  first.write("cpu/docker/x/cpu.cfs_quota_us", "200000\n");
  first.write("cpu/docker/x/cpu.cfs_period_us", "100000\n");
  const std::string both = "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n0::/docker/x\n";
  CHECK(first.cores(both) == 2);
  first.write("cpu/docker/x/cpu.cfs_quota_us", "-1\n");
  CHECK(first.cores(both) == 0);
  first.write("cpu,cpuacct/docker/cpu.cfs_quota_us", "600000\n");
  first.write("cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n");
  CHECK(first.cores(both) == 6);
}

TEST_CASE("cores, memory and threads") {
  cpu_set_t before, one;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  CHECK(available_cores() >= 1);
  CHECK(available_cores() <= CPU_COUNT(&before));
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++) {
    if (CPU_ISSET(i, &before)) CPU_SET(i, &one);
  }
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(available_cores() == 1);
  REQUIRE(sched_setaffinity(0, sizeof before, &before) == 0);

  CHECK(can_map(1 << 20));
  CHECK(!can_map(size_t{1} << 60));
  CHECK(startable_threads(0) == 0);
  CHECK(startable_threads(3) == 3);
}

}  // namespace
}  // namespace heddle
