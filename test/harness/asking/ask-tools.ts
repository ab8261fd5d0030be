import type { AskTools } from '../../../src/ask/ask-port.ts';

/**
 * Returns what asking needs, with real timers: every address and request is permitted, and the path
 * of a control request is `/made-up`. `changed` replaces parts of it.
 */
export function askTools(changed: Partial<AskTools> = {}): AskTools {
  return {
    version: '0.0.0',
    refuses: () => false,
    after(ms, action) {
      const timer = setTimeout(action, ms);
      return () => clearTimeout(timer);
    },
    mayAsk: () => Promise.resolve(true),
    randomName: () => 'made-up',
    ...changed,
  };
}
