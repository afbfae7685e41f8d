"""
The robot monitor of rqt, on a node of its own.

rqt_robot_monitor (up to 1.0.5) calls rclpy.spin_once() on the node that all plugins share, once a second. The first
call takes that node away from the executor of rqt, for good. From then on all plugins of the window together receive
one message a second, and rqt_runtime_monitor shows statuses as stale that are published every second.
"""

import os

import rclpy
from python_qt_binding.QtCore import QTimer
from rqt_robot_monitor.robot_monitor_plugin import RobotMonitorPlugin

# /diagnostics_agg comes once a second; the monitor itself takes at most one message a second and would fall behind.
RECEIVE_PERIOD_MS = 250


class RobotMonitor(RobotMonitorPlugin):
    def __init__(self, context):
        self._own_node = rclpy.create_node(f'holdfast_robot_monitor_{os.getpid()}_{context.serial_number()}')
        context.node = self._own_node
        super().__init__(context)
        self._receive_timer = QTimer()
        self._receive_timer.timeout.connect(self._receive)
        self._receive_timer.start(RECEIVE_PERIOD_MS)

    def _receive(self):
        if rclpy.ok():
            rclpy.spin_once(self._own_node, timeout_sec=0)

    def shutdown_plugin(self):
        self._receive_timer.stop()
        super().shutdown_plugin()
        self._own_node.destroy_node()
