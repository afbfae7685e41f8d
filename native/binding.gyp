# Built by build.mjs, which says what for.
{
  # Each name is this add-on's own: node-gyp takes what npm configures (npm_config_prefix) for variables too.
  'variables': {
    'receiver_version': '<!(node -p process.env.HOLDFAST_VERSION)',
    'receiver_distro': '<!(node -p process.env.ROS_DISTRO)',
    'receiver_rcl': '<!(node -p process.env.HOLDFAST_RCL_VERSION)',
    'receiver_prefix': '<!(node -p process.env.HOLDFAST_ROS_PREFIX)',
  },
  'targets': [
    {
      'target_name': 'holdfast_receiver',
      'sources': [
        'addon/addon.cpp',
        'addon/bound_receiver.cpp',
        'core/arena.cpp',
        'core/blocks.cpp',
        'core/receiver.cpp',
        'ros/endpoint_gid.cpp',
        'ros/find_node.cpp',
        'ros/rcl_subscription.cpp',
      ],
      'include_dirs': [
        '<!@(node -p "process.env.HOLDFAST_ROS_INCLUDES")',
      ],
      'library_dirs': ['<(receiver_prefix)/lib'],
      'libraries': ['-lrcl', '-lrmw', '-lrcutils', '-ldl'],
      'defines': [
        'NAPI_VERSION=8',
        'HOLDFAST_VERSION="<(receiver_version)"',
        'HOLDFAST_ROS_DISTRO="<(receiver_distro)"',
        'HOLDFAST_RCL_VERSION="<(receiver_rcl)"',
      ],
      'cflags!': ['-fno-exceptions'],
      'cflags_cc!': ['-fno-exceptions', '-std=gnu++17'],
      'cflags_cc': ['-std=c++17', '-O2', '-Wall', '-Wextra', '-fexceptions', '-fvisibility=hidden'],
    },
  ],
}
