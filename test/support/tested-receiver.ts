/** How recorders under test receive ROS messages (`ros.receive`), by HOLDFAST_TEST_RECEIVE; undefined: the default. */
export const testedReceiver = process.env['HOLDFAST_TEST_RECEIVE'];
