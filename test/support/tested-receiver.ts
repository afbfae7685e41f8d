/** How recorders under test receive ROS messages (`ros.receive`): by HOLDFAST_TEST_RECEIVE, otherwise natively. */
export const testedReceiver = process.env['HOLDFAST_TEST_RECEIVE'] ?? 'native';
