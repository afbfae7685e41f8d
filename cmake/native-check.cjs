// Required before anything else when an executable of this package starts: what was compiled for another ROS
// distribution or Node.js must end in one line, not in a linker's message or in a compiler. Written for any
// version of Node.js, however old.
'use strict';
/* eslint-disable @typescript-eslint/no-require-imports -- this file must run before any module does */
var fs = require('fs');
var path = require('path');

function check() {
  var built = JSON.parse(fs.readFileSync(path.join(__dirname, 'native-build.json'), 'utf8'));
  var distro = process.env.ROS_DISTRO;
  if (!distro || !process.env.AMENT_PREFIX_PATH) {
    return 'ROS 2 is not sourced: source the setup file of the workspace Holdfast was installed to';
  }
  var again = '; build the package again there (colcon build --packages-select holdfast)';
  if (distro !== built.rosDistro) {
    return 'built for ROS 2 ' + built.rosDistro + ', but ROS_DISTRO is ' + distro + again;
  }
  if (process.platform !== built.platform || process.arch !== built.arch) {
    var here = process.platform + ' ' + process.arch;
    return 'built for ' + built.platform + ' ' + built.arch + ', but this is ' + here + again;
  }
  if (process.versions.modules !== built.nodeAbi) {
    return (
      'built for Node.js ' +
      built.node +
      ' (ABI ' +
      built.nodeAbi +
      '), but ' +
      process.execPath +
      ' is ' +
      process.versions.node +
      ' (ABI ' +
      process.versions.modules +
      '); put the former first on the PATH or set ' +
      'HOLDFAST_NODE, or build the package again'
    );
  }
  return undefined;
}

var fault = check();
if (fault !== undefined) {
  fs.writeSync(2, 'holdfast: ' + fault + '\n');
  process.exit(1);
}
