import { Store } from './store.js';

/**
 * The operator's choices. They are in the URL hash, so that they survive reloads and can be sent to a
 * colleague.
 */
export interface View {
  /** Empty: all robots. */
  readonly robot: string;
  readonly sort: SortKey;
  readonly descending: boolean;
  readonly filter: string;
  /** Minutes of the timeline; 0 fits what there is. */
  readonly spanMin: number;
}

export const sortKeys = ['topic', 'type', 'hz', 'bytes', 'drops', 'seen'] as const;
export type SortKey = (typeof sortKeys)[number];

export type Theme = 'auto' | 'light' | 'dark';

const fresh: View = { robot: '', sort: 'topic', descending: false, filter: '', spanMin: 0 };

function readHash(): View {
  const params = new URLSearchParams(location.hash.slice(1));
  const sort = sortKeys.find((key) => key === params.get('sort')) ?? fresh.sort;
  const span = Number(params.get('span') ?? 0);
  return {
    robot: params.get('robot') ?? '',
    sort,
    descending: params.get('order') === 'desc',
    filter: params.get('filter') ?? '',
    spanMin: Number.isFinite(span) && span > 0 ? span : 0,
  };
}

function writeHash(view: View): void {
  const params = new URLSearchParams();
  if (view.robot !== '') params.set('robot', view.robot);
  if (view.sort !== fresh.sort) params.set('sort', view.sort);
  if (view.descending) params.set('order', 'desc');
  if (view.filter !== '') params.set('filter', view.filter);
  if (view.spanMin !== 0) params.set('span', String(view.spanMin));
  const hash = params.toString();
  if (hash !== location.hash.slice(1)) {
    history.replaceState(null, '', hash === '' ? location.pathname : `#${hash}`);
  }
}

export const view = new Store<View>(readHash());

export function changeView(change: Partial<View>): void {
  view.update((before) => ({ ...before, ...change }));
}

export const theme = new Store<Theme>(readTheme());

const prefersDark = matchMedia('(prefers-color-scheme: dark)');

/** The resulting theme. */
export const scheme = new Store<'light' | 'dark'>(schemeOf(theme.get()));

function schemeOf(chosen: Theme): 'light' | 'dark' {
  return chosen === 'auto' ? (prefersDark.matches ? 'dark' : 'light') : chosen;
}

/** Storage may be forbidden or full. Then the choice lasts as long as the page. */
function readTheme(): Theme {
  try {
    const stored = localStorage.getItem('holdfast.theme');
    return stored === 'light' || stored === 'dark' ? stored : 'auto';
  } catch {
    return 'auto';
  }
}

/** Keeps address bar, storage and document in step with the choices. */
export function bindSettings(): void {
  view.subscribe(() => writeHash(view.get()));
  addEventListener('hashchange', () => view.set(readHash()));
  bindTheme();
}

/** Keeps storage and document in step with the chosen theme. */
export function bindTheme(): void {
  const apply = (): void => {
    const now = schemeOf(theme.get());
    // The document changes before the parts that read its colours.
    document.documentElement.dataset['scheme'] = now;
    scheme.set(now);
    try {
      localStorage.setItem('holdfast.theme', theme.get());
    } catch {
      // see readTheme
    }
  };
  apply();
  theme.subscribe(apply);
  prefersDark.addEventListener('change', apply);
}
