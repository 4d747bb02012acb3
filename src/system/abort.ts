/** Who waits for which signal: one listener of a signal, however many wait. */

/** Of each signal on which somebody waits, what to call. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back once a signal has fired, with one listener for all of a signal: Node warns where more than ten listen, as when
 * a program gives the one signal of its own end to everything that it does. Of a signal that has fired before, which a
 * listener would never hear of, it calls back in a moment.
 *
 * @returns takes the callback back; the listener goes with the last of them
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined) return () => {};
  if (signal.aborted) {
    let isWanted = true;
    queueMicrotask(() => isWanted && callback());
    return () => {
      isWanted = false;
    };
  }
  // One of its own: the same function may wait twice.
  const call = () => callback();
  const callbacks = waiting.get(signal) ?? listenTo(signal);
  callbacks.add(call);
  return () => {
    callbacks.delete(call);
    if (callbacks.size === 0) stopListening(signal, callbacks);
  };
}

const listeners = new WeakMap<Set<() => void>, () => void>();

function listenTo(signal: AbortSignal): Set<() => void> {
  const callbacks = new Set<() => void>();
  const listener = () => {
    stopListening(signal, callbacks);
    for (const callback of callbacks) callback();
  };
  waiting.set(signal, callbacks);
  listeners.set(callbacks, listener);
  signal.addEventListener("abort", listener, { once: true });
  return callbacks;
}

function stopListening(signal: AbortSignal, callbacks: Set<() => void>): void {
  const listener = listeners.get(callbacks);
  if (listener !== undefined) signal.removeEventListener("abort", listener);
  if (waiting.get(signal) === callbacks) waiting.delete(signal);
}
