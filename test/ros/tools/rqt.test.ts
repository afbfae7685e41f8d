import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { lacking } from '../../../src/testing/lacking.js';
import { onEveryMiddleware } from '../../support/on-every-middleware.js';
import { requireRos, startPython, stopRosChildren, type RosChild } from '../../support/ros.js';
import { InstalledPackage, missingPackage, reportsOf } from './installed-package.js';
import { perhaps } from '../../support/perhaps.js';

const DOMAIN = 72;
const XVFB = '/usr/bin/Xvfb';
const PACKAGES = [
  ...[
    'diagnostic_aggregator',
    'rqt_gui_py',
    'rqt_plot',
    'rqt_robot_monitor',
    'rqt_runtime_monitor',
    'rqt_topic',
  ],
];

/**
 * rqt itself in this process, started with a perspective. Reports once a second what its widgets show. argv[2] seconds
 * after the first status came it opens the trees, paints the window into argv[3] and ends.
 */
const RQT = String.raw`
import json, os, sys, time
from ament_index_python.packages import get_package_prefix
perspective, seconds, picture = sys.argv[1], float(sys.argv[2]), sys.argv[3]
sys.argv = ['rqt_gui', '--perspective-file', perspective, '--force-discover']
from rqt_gui.main import Main

class Watched(Main):
    def create_application(self, argv):
        from python_qt_binding.QtCore import QTimer
        from python_qt_binding.QtGui import QIcon
        self.app = super().create_application(argv)
        # A desktop sets a theme of icons; Xvfb has no desktop.
        QIcon.setThemeName('Adwaita')
        self.timer = QTimer()
        self.timer.timeout.connect(self.report)
        self.timer.start(1000)
        self.first = None
        return self.app

    def report(self):
        shown = {'seconds': 0, 'runtime': {}, 'tree': [], 'curves': {}}
        for widget in self.app.allWidgets():
            if hasattr(widget, '_stale_node'):
                for name in ('stale', 'error', 'warning', 'ok'):
                    shown['runtime'][name] = getattr(widget, '_%s_node' % name).childCount()
            if hasattr(widget, 'tree_all_devices'):
                walk = lambda item, path: [path + item.child(i).text(0) for i in range(item.childCount())] + [
                    one for i in range(item.childCount()) for one in walk(item.child(i), path + item.child(i).text(0) + '/')]
                shown['tree'] = walk(widget.tree_all_devices.invisibleRootItem(), '')
            if hasattr(widget, '_rosdata') and widget.data_plot is not None:
                shown['curves'].update({name: len(curve['x']) for name, curve in widget.data_plot._curves.items()})
        if sum(shown['runtime'].values()) == 0:
            return
        self.first = self.first or time.monotonic()
        shown['seconds'] = time.monotonic() - self.first
        print(json.dumps(shown), flush=True)
        if shown['seconds'] >= seconds:
            self.paint()

    def paint(self):
        from python_qt_binding.QtWidgets import QMainWindow, QSplitter
        for widget in self.app.allWidgets():
            if hasattr(widget, '_stale_node'):
                widget._ok_node.setExpanded(True)
                [splitter.setSizes([420, 100]) for splitter in widget.findChildren(QSplitter)]
            if hasattr(widget, 'tree_all_devices'):
                widget.tree_all_devices.expandAll()
                widget.tree_all_devices.resizeColumnToContents(0)
        self.app.processEvents()
        [window] = [w for w in self.app.topLevelWidgets() if isinstance(w, QMainWindow) and w.isVisible()]
        window.grab().save(picture)
        sys.stdout.flush()
        # Without the plugins' own ends, which are not what is tested.
        os._exit(0)

Watched(filename=os.path.join(get_package_prefix('rqt_gui'), 'lib', 'rqt_gui', 'rqt_gui')).main()
`;

interface Shown {
  /** Since the first status came. */
  readonly seconds: number;
  /** Statuses in the runtime monitor. */
  readonly runtime: Readonly<Record<'stale' | 'error' | 'warning' | 'ok', number>>;
  /** Paths in the robot monitor. */
  readonly tree: readonly string[];
  /** Points by curve of all plots. */
  readonly curves: Readonly<Record<string, number>>;
}

/** Long enough for three looks of the runtime monitor for stale statuses. */
const WATCHED_S = Number(process.env['HOLDFAST_TEST_RQT_SECONDS'] ?? 18);

onEveryMiddleware('rqt with the shipped perspective', function () {
  this.timeout(180_000);
  let installed: InstalledPackage;
  let screen: ChildProcess;
  let rqt: RosChild;
  const picture = (): string => process.env['HOLDFAST_TEST_RQT_PICTURE'] ?? join(installed.root, 'rqt.png');

  before(async function () {
    // The messages are built once per machine.
    this.timeout(900_000);
    const ros = requireRos(this, { native: true });
    const missing = existsSync(XVFB) ? missingPackage(ros, ...PACKAGES) : `${XVFB} is not there`;
    if (missing !== undefined) lacking(this, 'rqt', missing);
    installed = await InstalledPackage.make(ros);
    await installed.launchSimulation(DOMAIN);
    screen = spawn(XVFB, ['-displayfd', '1', '-screen', '0', '1920x1080x24', '-nolisten', 'tcp'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const display = await new Promise<string>((resolve) => {
      present(screen.stdout)
        .setEncoding('utf8')
        .once('data', (text: string) => resolve(`:${text.trim()}`));
    });
    const args = [installed.share('config', 'rqt', 'holdfast.perspective'), String(WATCHED_S), picture()];
    const env = { ...installed.environment(), DISPLAY: display, XDG_RUNTIME_DIR: installed.root };
    rqt = startPython(ros, RQT, args, { domainId: DOMAIN, env });
    const late = setTimeout(() => void rqt.stop('SIGKILL'), 120_000);
    await rqt.ended;
    clearTimeout(late);
  });
  after(async () => {
    perhaps(screen)?.kill();
    await stopRosChildren();
    perhaps(installed)?.[Symbol.dispose]();
  });

  it('shows every status of a healthy recorder and of sync as OK, and none as stale at any time', () => {
    const reports = reportsOf(rqt) as readonly Shown[];
    const last = reports.at(-1);
    assert.ok(last !== undefined, rqt.output());
    assert.ok(last.runtime.ok >= 10, JSON.stringify(last));
    for (const { runtime, seconds } of reports) {
      const { ok: _ok, ...others } = runtime;
      assert.deepEqual(others, { stale: 0, error: 0, warning: 0 }, `after ${seconds} s`);
    }
  });

  it('shows the tree of recorder, robots and sync in the robot monitor', () => {
    const { tree } = present(reportsOf(rqt).at(-1)) as Shown;
    for (const path of ['Recorder/durability', 'Robots/robot1', 'Sync/uploads']) {
      assert.ok(tree.includes(`Holdfast/${path}`), `${path} in ${tree.join(', ')}`);
    }
  });

  it('plots loss window, pending bytes and every other figure that the perspective names', () => {
    const text = readFileSync(installed.share('config', 'rqt', 'holdfast.perspective'), 'utf8');
    const named: readonly string[] = text.match(/\/holdfast_(?:recorder|sync)(?:\/\w+)+/g) ?? [];
    for (const field of ['recorder/status/loss_window_ms', 'sync/sync_status/bytes_pending']) {
      assert.ok(named.includes(`/holdfast_${field}`), field);
    }
    const { curves } = present(reportsOf(rqt).at(-1)) as Shown;
    for (const name of named) {
      // One a second is published, and a busy machine draws late.
      assert.ok((curves[name] ?? 0) >= WATCHED_S / 2, `${name}: ${JSON.stringify(curves)}`);
    }
  });

  it('paints a window', () => {
    const png = readFileSync(picture());
    assert.ok(png.readUInt32BE(16) > 1_000 && png.readUInt32BE(20) > 600, 'width and height');
  });
});
