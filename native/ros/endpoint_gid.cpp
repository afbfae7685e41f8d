#include "endpoint_gid.hpp"

#include <dlfcn.h>
#include <link.h>
#include <rcl/error_handling.h>
#include <rmw/rmw.h>

#include <cstring>
#include <string>

namespace holdfast {

namespace {

/// DDS_BUILTIN_TOPIC_DCPSPUBLICATION.
constexpr std::int32_t publications_topic = 0x7fff0003;
/// More than a dds_builtintopic_endpoint_t has, in every version. It begins with the identifier.
constexpr std::size_t sample_bytes = 256;
constexpr std::size_t guid_bytes = 16;

/// The middleware has loaded the library already, under a name that depends on its version.
void* find_library() {
  std::string path;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* found) {
        if (std::strstr(info->dlpi_name, "/libddsc.so") == nullptr) return 0;
        *static_cast<std::string*>(found) = info->dlpi_name;
        return 1;
      },
      &path);
  return path.empty() ? nullptr : dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD);
}

template <typename Function>
bool load(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

/// The functions of its public interface that are needed here.
struct EndpointGids::Cyclone {
  std::int32_t (*lookup_participant)(std::uint32_t domain, std::int32_t* participants, std::size_t size);
  std::int32_t (*create_reader)(std::int32_t participant, std::int32_t topic, const void* qos, const void* listener);
  std::int32_t (*instance_get_key)(std::int32_t entity, std::uint64_t instance, void* sample);
  void* (*alloc)(std::size_t bytes);
  void (*free_endpoint)(void* sample);
  bool is_complete;

  static const Cyclone& get() {
    static const Cyclone loaded = [] {
      Cyclone cyclone{};
      void* const library = find_library();
      cyclone.is_complete = library != nullptr &&
                            load(library, "dds_lookup_participant", cyclone.lookup_participant) &&
                            load(library, "dds_create_reader", cyclone.create_reader) &&
                            load(library, "dds_instance_get_key", cyclone.instance_get_key) &&
                            load(library, "dds_alloc", cyclone.alloc) &&
                            load(library, "dds_builtintopic_free_endpoint", cyclone.free_endpoint);
      return cyclone;
    }();
    return loaded;
  }
};

EndpointGids::EndpointGids(const rcl_node_t* node)
    : node_(node), is_cyclone_(std::strcmp(rmw_get_implementation_identifier(), "rmw_cyclonedds_cpp") == 0) {}

bool EndpointGids::find(const Gid& of_message, Gid& endpoint) {
  if (!is_cyclone_) {
    endpoint = of_message;
    return true;
  }
  const Cyclone& cyclone = Cyclone::get();
  if (!cyclone.is_complete || !open_reader(cyclone)) return false;
  std::uint64_t instance = 0;
  std::memcpy(&instance, of_message.data(), sizeof instance);
  void* const sample = cyclone.alloc(sample_bytes);
  if (sample == nullptr) return false;
  std::memset(sample, 0, sample_bytes);
  const bool is_found = cyclone.instance_get_key(reader_, instance, sample) == 0;
  endpoint.fill(0);
  if (is_found) std::memcpy(endpoint.data(), sample, guid_bytes);
  cyclone.free_endpoint(sample);
  return is_found;
}

/// The identifiers belong to the built-in topic of publications: only a reader of it tells them.
bool EndpointGids::open_reader(const Cyclone& cyclone) {
  if (reader_ > 0) return true;
  std::size_t domain = 0;
  if (rcl_node_get_domain_id(node_, &domain) != RCL_RET_OK) {
    rcl_reset_error();
    return false;
  }
  // Every participant of the domain in this process knows the same publishers.
  std::int32_t participant = 0;
  if (cyclone.lookup_participant(static_cast<std::uint32_t>(domain), &participant, 1) <= 0) return false;
  reader_ = cyclone.create_reader(participant, publications_topic, nullptr, nullptr);
  return reader_ > 0;
}

}  // namespace holdfast
