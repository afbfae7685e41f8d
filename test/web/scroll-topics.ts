/** What the page saw of itself while its topics were scrolled. */
export interface Scrolled {
  readonly lastedMs: number;
  readonly frames: number;
  /** Duration of the longest task, milliseconds; 0: none was longer than 50 ms. */
  readonly longestMs: number;
  /** Most rows of the table at a time. */
  readonly rows: number;
  /** Furthest position, pixels. */
  readonly reached: number;
}

/** For the page: scrolls the topics to the end and back while it looks at frames and long tasks. */
export function scrollTopics(lastsMs: number): string {
  return `new Promise((resolve) => {
    const box = document.querySelector('.topics-scroll');
    const from = performance.now();
    let frames = 0, reached = 0, rows = 0, longestMs = 0;
    const tasks = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longestMs = Math.max(longestMs, duration);
    });
    tasks.observe({ type: 'longtask' });
    const next = (now) => {
      frames++;
      box.scrollTop = Math.abs(Math.sin(((now - from) / ${lastsMs}) * Math.PI)) * box.scrollHeight;
      reached = Math.max(reached, box.scrollTop);
      rows = Math.max(rows, box.querySelectorAll('tbody tr').length);
      if (now - from < ${lastsMs}) return requestAnimationFrame(next);
      tasks.disconnect();
      resolve({ lastedMs: performance.now() - from, frames, longestMs, rows, reached });
    };
    requestAnimationFrame(next);
  })`;
}
