#!/bin/bash
# Sources ROS 2 and becomes Holdfast, so that signals of the container reach it.
source /opt/ros/*/setup.bash
export ROS_LOG_DIR="${ROS_LOG_DIR:-/tmp/ros}"
exec holdfast "$@"
