import { Counter } from '@prometheus-io/client';
import type { Registry } from '@prometheus-io/client';

const STEPS_PER_UNIT = 10;
const MAX_PAUSE_MS = 1000;

/** A counter that grows until it is stopped. */
export interface Count {
  value(): number;
  stop(): void;
}

/** Returns the counter `count_total`, registered and growing by 0.1 after every pause of `nextPause()` milliseconds. */
export function startCount(registry: Registry, nextPause = (): number => Math.random() * MAX_PAUSE_MS): Count {
  // An integer that is divided on reading: adding 0.1 ten times gives 0.9999999999999999.
  let steps = 0;
  const value = (): number => steps / STEPS_PER_UNIT;
  const counter = new Counter({
    name: 'count_total',
    help: 'Grows by 0.1 at random intervals of less than a second.',
    registers: [],
    collect() {
      this.reset();
      this.inc(value());
    },
  });
  registry.registerMetric(counter);
  const grow = (): void => {
    steps += 1;
    timer = setTimeout(grow, nextPause());
  };
  let timer = setTimeout(grow, nextPause());
  return { value, stop: () => clearTimeout(timer) };
}
