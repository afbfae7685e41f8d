const WIDTH = 84;
const HEIGHT = 18;
const POINTS = 40;

/** The last two minutes of a rate as a line. It shows the shape; the numbers are beside it. */
export function Spark({ values, last }: { readonly values: readonly number[]; readonly last: number }) {
  const all = [...values.slice(1 - POINTS), last];
  const largest = Math.max(...all);
  if (largest === 0) {
    return <span class="spark-none" aria-hidden="true" />;
  }
  const step = WIDTH / (POINTS - 1);
  const left = WIDTH - (all.length - 1) * step;
  let path = '';
  for (const [index, value] of all.entries()) {
    const x = (left + index * step).toFixed(1);
    const y = (HEIGHT - 1.5 - (value / largest) * (HEIGHT - 3)).toFixed(1);
    path += `${index === 0 ? 'M' : 'L'}${x} ${y}`;
  }
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      width={WIDTH}
      height={HEIGHT}
      aria-hidden="true"
      focusable="false"
    >
      <path d={path} />
    </svg>
  );
}
