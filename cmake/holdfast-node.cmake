# The npm package inside the ROS package: what is built (build-node.mjs), installed (install-node.mjs) and tested.

set(HOLDFAST_NODE "" CACHE FILEPATH "Node.js to build with and to start with; empty: the first on the PATH")
set(HOLDFAST_NPM_CACHE "" CACHE PATH "npm cache to build from without a network (npm ci --offline); empty: online")
set(HOLDFAST_NATIVE_CACHE "" CACHE PATH "Folder that keeps the compiled addon for further builds; empty: the build folder")
set(HOLDFAST_NATIVE_JOBS "" CACHE STRING "Compilers at a time for the addon; empty: one per core")

if(NOT HOLDFAST_NODE)
  find_program(HOLDFAST_FOUND_NODE NAMES node nodejs)
  set_property(CACHE HOLDFAST_FOUND_NODE PROPERTY TYPE INTERNAL)
  if(NOT HOLDFAST_FOUND_NODE)
    message(FATAL_ERROR "holdfast: no Node.js on the PATH; docs/ros-package.md says where to get version 20")
  endif()
  set(HOLDFAST_NODE_PATH "${HOLDFAST_FOUND_NODE}")
else()
  set(HOLDFAST_NODE_PATH "${HOLDFAST_NODE}")
endif()

# The scripts of the build could not even be parsed by an old Node.js, such as that of Ubuntu 22.04.
file(READ "${CMAKE_CURRENT_LIST_DIR}/../package.json" HOLDFAST_PACKAGE_JSON)
string(JSON HOLDFAST_NODE_FLOOR GET "${HOLDFAST_PACKAGE_JSON}" engines node)
string(REPLACE ">=" "" HOLDFAST_NODE_FLOOR "${HOLDFAST_NODE_FLOOR}")
execute_process(COMMAND "${HOLDFAST_NODE_PATH}" --version
  OUTPUT_VARIABLE HOLDFAST_NODE_VERSION OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REPLACE "v" "" HOLDFAST_NODE_VERSION "${HOLDFAST_NODE_VERSION}")
if(HOLDFAST_NODE_VERSION VERSION_LESS HOLDFAST_NODE_FLOOR)
  message(FATAL_ERROR "holdfast: Node.js ${HOLDFAST_NODE_VERSION} (${HOLDFAST_NODE_PATH}) is too old; allowed: "
    "${HOLDFAST_NODE_FLOOR} or newer. docs/ros-package.md says where to get it; HOLDFAST_NODE names another one")
endif()

get_filename_component(HOLDFAST_NODE_FOLDER "${HOLDFAST_NODE_PATH}" DIRECTORY)
find_program(HOLDFAST_NPM NAMES npm HINTS "${HOLDFAST_NODE_FOLDER}" DOC "npm")
if(NOT HOLDFAST_NPM)
  message(FATAL_ERROR "holdfast: no npm beside ${HOLDFAST_NODE_PATH} or on the PATH; docs/ros-package.md says where to get it")
endif()

set(HOLDFAST_CMAKE "${CMAKE_CURRENT_LIST_DIR}")

# Compiles everything, as part of `all`. It runs at every build and does what changed.
function(holdfast_build_node)
  set(tests "")
  if(NOT BUILD_TESTING)
    set(tests "--without-tests")
  endif()
  add_custom_target(${PROJECT_NAME}_node ALL
    COMMAND "${HOLDFAST_NODE_PATH}" "${HOLDFAST_CMAKE}/build-node.mjs"
      --source "${CMAKE_CURRENT_SOURCE_DIR}"
      --build "${CMAKE_CURRENT_BINARY_DIR}/holdfast-node"
      --npm "${HOLDFAST_NPM}"
      --npm-cache "${HOLDFAST_NPM_CACHE}"
      --native-cache "${HOLDFAST_NATIVE_CACHE}"
      --jobs "${HOLDFAST_NATIVE_JOBS}"
      ${tests}
    COMMENT "Building the Node.js part of ${PROJECT_NAME}"
    VERBATIM
    USES_TERMINAL
  )
endfunction()

# Installs it to lib/node_modules/holdfast. It is a script of its own in every kind of installation: thousands of
# files linked one by one take minutes.
function(holdfast_install_node)
  set(link "")
  if(AMENT_CMAKE_SYMLINK_INSTALL)
    set(link "--link")
  endif()
  install(CODE "
    execute_process(
      COMMAND \"${HOLDFAST_NODE_PATH}\" \"${HOLDFAST_CMAKE}/install-node.mjs\"
        --build \"${CMAKE_CURRENT_BINARY_DIR}/holdfast-node\"
        --to \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/node_modules/${PROJECT_NAME}\" ${link}
      RESULT_VARIABLE result
    )
    if(NOT result EQUAL 0)
      message(FATAL_ERROR \"holdfast: the Node.js part could not be installed\")
    endif()
  ")
endfunction()

# Installs an executable that starts a script of the package. ROS: it needs ROS, and is refused where the native
# part does not fit.
#   holdfast_install_wrapper(recorder dist/src/main.js lib/holdfast "what it is" [ROS])
function(holdfast_install_wrapper name main destination description)
  cmake_parse_arguments(ARG "ROS" "" "" ${ARGN})
  set(HOLDFAST_CHECK "")
  if(ARG_ROS)
    set(HOLDFAST_CHECK "--require \"\$package/native-check.cjs\" ")
  endif()
  set(HOLDFAST_MAIN "${main}")
  set(HOLDFAST_DESCRIPTION "${description}")
  set(HOLDFAST_NODE "${HOLDFAST_NODE_PATH}")
  file(RELATIVE_PATH HOLDFAST_TO_PACKAGE "/${destination}" "/lib/node_modules/${PROJECT_NAME}")
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/wrappers/${destination}")
  configure_file("${HOLDFAST_CMAKE}/wrapper.sh.in" "${folder}/${name}" @ONLY
    FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  install(PROGRAMS "${folder}/${name}" DESTINATION ${destination})
endfunction()

# Runs tests that need neither ROS nor programs from a package manager, out of the copy.
#   holdfast_add_tests(core FOLDERS core ingest)
function(holdfast_add_tests name)
  cmake_parse_arguments(ARG "" "" "FOLDERS" ${ARGN})
  set(tree "${CMAKE_CURRENT_BINARY_DIR}/holdfast-node/node")
  set(result "${AMENT_TEST_RESULTS_DIR}/${PROJECT_NAME}/${name}.xml")
  set(specs "")
  foreach(folder ${ARG_FOLDERS})
    list(APPEND specs "dist/test/${folder}/**/*.test.js")
  endforeach()
  ament_add_test(${name}
    COMMAND "${HOLDFAST_NODE_PATH}" --enable-source-maps node_modules/mocha/bin/mocha.js
      --config .mocharc.json --reporter xunit --reporter-option "output=${result}" ${specs}
    RESULT_FILE "${result}"
    WORKING_DIRECTORY "${tree}"
    TIMEOUT 1200
  )
endfunction()
