import * as fs from 'node:fs/promises';
import { parseSourceUri } from '../../../../src/sources/source-uri.js';
import { createRosSource } from '../../../../src/sources/ros/ros-source.js';
import { requireRos, stopRosChildren } from '../../../support/ros.js';
import { startPublisher } from '../../../support/ros-publisher.js';
import { sourceContract, type SourceFixture } from '../../../../src/testing/source-contract.js';

const domainId = Number(process.env.ROS_DOMAIN_ID);

describe('On real ROS 2', function () {
  this.timeout(60_000);
  before(async function () {
    const topics = ['/robot1/a', '/robot1/b'].map((topic) => ({ topic, count: 0, hz: 100 }));
    await startPublisher(requireRos(this), topics, { domainId, subscribers: 0 }).waitFor(/matched/);
  });
  after(stopRosChildren);

  const open = (uri: string): SourceFixture => ({
    source: createRosSource(parseSourceUri(uri), { fs, env: process.env }),
  });
  sourceContract('a source ros', {
    healthy: () => Promise.resolve(open('ros:')),
    hopeless: () => Promise.resolve({ ...open('ros:?qos=/nowhere.yaml'), code: 'CONFIG_INVALID' }),
  });
});
