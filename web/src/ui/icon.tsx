/**
 * Glyphs that show a state by shape and colour. They are decorative: the text beside them has the same
 * meaning.
 */
const paths = {
  dot: <circle cx="8" cy="8" r="5" fill="currentColor" />,
  ring: <circle cx="8" cy="8" r="4.5" fill="none" stroke="currentColor" stroke-width="2" />,
  pause: <path d="M4.500 3h2.600v10H4.500zM8.900 3h2.600v10H8.900z" fill="currentColor" />,
  stop: <rect x="3.500" y="3.500" width="9" height="9" rx="1" fill="currentColor" />,
  play: <path d="M5 2.800v10.400L13 8z" fill="currentColor" />,
  warning: (
    <path
      d="M8 1.800 15 14H1zM7.200 6.200v4h1.600v-4zm0 5v1.500h1.600v-1.500z"
      fill="currentColor"
      fill-rule="evenodd"
    />
  ),
  cross: (
    <path d="M3.500 3.500l9 9m0-9-9 9" stroke="currentColor" stroke-width="2.400" stroke-linecap="round" />
  ),
  check: (
    <path
      d="M3 8.500 6.500 12 13 4.500"
      fill="none"
      stroke="currentColor"
      stroke-width="2.400"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  ),
  split: (
    <path
      d="M8 2v12M2.500 8h3.200M10.300 8h3.200M4 6.200 2.200 8 4 9.800M12 6.200 13.800 8 12 9.800"
      {...line()}
    />
  ),
  flag: <path d="M4 14V2.500h8L9.800 5.700 12 9H4" {...line()} />,
  tag: <path d="M2.500 2.500h5.200l5.800 5.800-5.200 5.200-5.800-5.800zM5.300 5.300v.1" {...line()} />,
  up: <path d="M8 13V3.500M3.800 7.500 8 3.200l4.200 4.300" {...line()} />,
  export: <path d="M2.500 10v3.500h11V10M8 2.500v7.500M4.800 7 8 10.200 11.200 7" {...line()} />,
  key: (
    <path
      d="M6 10.500a3 3 0 1 1 2.500-4.700H14v2.600h-1.500v1.800H10V8.400H8.500A3 3 0 0 1 6 10.500z"
      {...line()}
    />
  ),
  sliders: (
    <path d="M2.500 4.500h6m3.500 0h1.500M2.500 11.500h1.500m3.500 0h6M8.500 3v3M4 10v3" {...line()} />
  ),
  cut: <path d="M2 8h4m4 0h4M6.500 4.500l3 7" {...line()} />,
} as const;

function line() {
  return {
    fill: 'none',
    stroke: 'currentColor',
    'stroke-width': 1.7,
    'stroke-linecap': 'round',
    'stroke-linejoin': 'round',
  } as const;
}

export type IconName = keyof typeof paths;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      {paths[name]}
    </svg>
  );
}
