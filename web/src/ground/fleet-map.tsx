import { useEffect, useRef, useState } from 'preact/hooks';
import { count, counted } from '../model/format.js';
import { connection } from '../model/live.js';
import { scheme } from '../model/settings.js';
import { useStore } from '../model/store.js';
import { Panel } from '../ui/panel.js';
import { ask } from './ask.js';
import { MapTiles } from './map-tiles.js';
import { drawMap, type MapRobot } from './draw-map.js';
import { fit, pan, toPixels, zoom, type MapView, type Size } from './map-view.js';
import { addressOf } from './model.js';
import { loadWorld, project, type Point, type World } from './world.js';

const ZOOM_STEP = 1.6;
const PAN_PX = 60;
/** A finger hits what is this near. */
const HIT_PX = 14;
const CLICK_PX = 4;

/** The robots with positions on the outlines of the world. The table beside it has the same robots as text. */
export function FleetMap({
  robots,
  total,
}: {
  readonly robots: readonly MapRobot[];
  readonly total: number;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  const [world, setWorld] = useState<World | 'missing' | undefined>();
  /** Undefined: all robots, also when they move. */
  const [chosen, setChosen] = useState<MapView | undefined>();
  const { tiles, attribution, loaded } = useTiles();
  const colours = useStore(scheme);
  const points = robots.map(({ latitude, longitude }) => project(latitude, longitude));
  const view = chosen ?? fit(points, size);

  // A ground that is back has the outlines again.
  const isLive = useStore(connection).state === 'live';
  useEffect(() => {
    if (typeof world !== 'object') loadWorld().then(setWorld, () => setWorld('missing'));
  }, [isLive]);
  useEffect(() => {
    const box = canvas.current;
    if (box === null) return;
    const sizes = new ResizeObserver(() => setSize({ width: box.clientWidth, height: box.clientHeight }));
    sizes.observe(box);
    return () => sizes.disconnect();
  }, []);
  useEffect(() => {
    const box = canvas.current;
    if (box === null || size.width === 0 || document.hidden) return;
    drawMap(box, { size, view, world: world === 'missing' ? undefined : world, tiles, robots, points });
  }, [size, view, world, robots, colours, tiles, loaded]);

  const gestures = useGestures(view, size, setChosen, (at) => {
    const hit = nearest(points, view, size, at);
    const robot = hit === undefined ? undefined : robots[hit];
    if (robot !== undefined) location.hash = addressOf(robot.robot);
  });
  const middle = { x: size.width / 2, y: size.height / 2 };
  const zoomBy = (factor: number) => () => setChosen(zoom(view, factor, middle, size));
  const summary = summaryOf(robots, total);
  return (
    <Panel
      title="Map"
      area="map"
      aside={`${count(robots.length)} of ${counted(total, 'robot')} with a position`}
    >
      <div class="map">
        <canvas ref={canvas} class="map-canvas" role="img" aria-label={summary} tabIndex={0} {...gestures} />
        <div class="map-tools">
          <button type="button" class="button quiet" aria-label="Zoom in" onClick={zoomBy(ZOOM_STEP)}>
            +
          </button>
          <button type="button" class="button quiet" aria-label="Zoom out" onClick={zoomBy(1 / ZOOM_STEP)}>
            −
          </button>
          <button type="button" class="button quiet" onClick={() => setChosen(undefined)}>
            Show all
          </button>
        </div>
        {attribution === '' ? null : <p class="map-attribution">{attribution}</p>}
        {world === 'missing' ? <p class="map-note">The outlines of the map could not be loaded.</p> : null}
        {robots.length === 0 ? <p class="map-note">No robot sends latitude and longitude.</p> : null}
      </div>
    </Panel>
  );
}

/** The tiles that the ground was started with; `loaded` changes with each tile that has come. */
function useTiles() {
  const [tiles, setTiles] = useState<MapTiles | undefined>();
  const [attribution, setAttribution] = useState('');
  const [loaded, setLoaded] = useState(0);
  useEffect(() => {
    let isOver = false;
    void ask<{ readonly tiles: string; readonly attribution: string }>('api/map').then((answer) => {
      if (isOver || !('value' in answer) || answer.value.tiles === '') return;
      setTiles(new MapTiles(answer.value.tiles, () => setLoaded((before) => before + 1)));
      setAttribution(answer.value.attribution);
    });
    return () => {
      isOver = true;
    };
  }, []);
  return { tiles, attribution, loaded };
}

function summaryOf(robots: readonly MapRobot[], total: number): string {
  const bad = robots.filter(({ tone }) => tone === 'bad' || tone === 'warn').length;
  return `Map of ${count(robots.length)} of ${counted(total, 'robot')}; ${bad} of them need attention. The table lists all robots.`;
}

function nearest(points: readonly Point[], view: MapView, size: Size, at: Point): number | undefined {
  let found: number | undefined;
  let least = HIT_PX;
  for (const [index, point] of points.entries()) {
    const { x, y } = toPixels(view, point, size);
    const distance = Math.hypot(x - at.x, y - at.y);
    if (distance < least) [found, least] = [index, distance];
  }
  return found;
}

/** Drag, pinch, wheel and keys. */
function useGestures(view: MapView, size: Size, change: (view: MapView) => void, press: (at: Point) => void) {
  const held = useRef(new Map<number, Point>());
  const moved = useRef(0);
  const place = (event: PointerEvent | WheelEvent): Point => ({ x: event.offsetX, y: event.offsetY });
  const move = (event: PointerEvent): void => {
    const before = held.current.get(event.pointerId);
    if (before === undefined) return;
    const now = place(event);
    const [other] = [...held.current].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    held.current.set(event.pointerId, now);
    moved.current += Math.hypot(now.x - before.x, now.y - before.y);
    if (moved.current < CLICK_PX) return;
    if (other === undefined) {
      change(pan(view, now.x - before.x, now.y - before.y, size));
      return;
    }
    const apart = (a: Point): number => Math.max(1, Math.hypot(a.x - other.x, a.y - other.y));
    change(zoom(view, apart(now) / apart(before), other, size));
  };
  const release = (event: PointerEvent): void => {
    const isPress = held.current.delete(event.pointerId) && moved.current < CLICK_PX;
    if (isPress && event.type === 'pointerup') press(place(event));
  };
  return {
    onPointerDown: (event: PointerEvent) => {
      if (held.current.size === 0) moved.current = 0;
      held.current.set(event.pointerId, place(event));
      (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    },
    onPointerMove: move,
    onPointerUp: release,
    onPointerCancel: release,
    onWheel: (event: WheelEvent) => {
      event.preventDefault();
      change(zoom(view, Math.exp(-event.deltaY / 400), place(event), size));
    },
    onKeyDown: (event: KeyboardEvent) => {
      const next = byKey(event.key, view, size);
      if (next === undefined) return;
      event.preventDefault();
      change(next);
    },
  };
}

function byKey(key: string, view: MapView, size: Size): MapView | undefined {
  const middle = { x: size.width / 2, y: size.height / 2 };
  switch (key) {
    case '+':
    case '=':
      return zoom(view, ZOOM_STEP, middle, size);
    case '-':
      return zoom(view, 1 / ZOOM_STEP, middle, size);
    case 'ArrowLeft':
      return pan(view, PAN_PX, 0, size);
    case 'ArrowRight':
      return pan(view, -PAN_PX, 0, size);
    case 'ArrowUp':
      return pan(view, 0, PAN_PX, size);
    case 'ArrowDown':
      return pan(view, 0, -PAN_PX, size);
    default:
      return undefined;
  }
}
