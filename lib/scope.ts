import { AsyncLocalStorage } from 'node:async_hooks';

/** What a scope can dispose of. */
interface Disposable {
  dispose(): void;
}

/** What tensors belong to, so that no scope disposes of them. */
interface Owner {
  ownTensors(): readonly Disposable[];
}

interface Scope {
  outer: Scope | undefined;
  made: Set<Disposable>;
  owners: Set<Owner>;
}

// Follows each asynchronous call on its own, so that scopes that overlap in time do not take each other's tensors.
const current = new AsyncLocalStorage<Scope | undefined>();

/**
 * Runs `fn` and disposes of every tensor made inside that it does not return, also where it throws. What it returns may
 * hold tensors in arrays, maps and plain objects. `fn` may be asynchronous: the scope then ends when its promise does.
 * Parameters and buffers of modules belong to their module and are left alone.
 */
export function scope<T>(fn: () => T): T {
  const own: Scope = { outer: current.getStore(), made: new Set(), owners: new Set() };
  const leave = <R>(result: R): R => {
    release(result, own);
    return result;
  };
  const fail = (error: unknown): never => {
    release(undefined, own);
    throw error;
  };
  let result: T;
  try {
    result = current.run(own, fn);
  } catch (error) {
    return fail(error);
  }
  return isPromise(result) ? (result.then(leave, fail) as T) : leave(result);
}

/** Runs `fn` outside of every scope: what it makes stays until it is disposed of by hand. */
export function unscoped<T>(fn: () => T): T {
  return current.run(undefined, fn);
}

/** Lets the scope that is open, if one is, dispose of `tensor`. */
export function register(tensor: Disposable): void {
  current.getStore()?.made.add(tensor);
}

/** Keeps the scope that is open, if one is, from disposing of the tensors that belong to `owner` when it ends. */
export function registerOwner(owner: Owner): void {
  current.getStore()?.owners.add(owner);
}

/** Takes `tensor` out of the scopes that are open. */
export function unregister(tensor: Disposable): void {
  for (let open = current.getStore(); open; open = open.outer) open.made.delete(tensor);
}

function release(kept: unknown, { outer, made, owners }: Scope): void {
  for (const owner of owners) {
    for (const tensor of owner.ownTensors()) made.delete(tensor);
    outer?.owners.add(owner);
  }
  keep(kept, made, outer?.made, new Set());
  for (const tensor of made) {
    tensor.dispose();
  }
}

/** Moves what `value` holds of `made` to the outer scope. */
function keep(
  value: unknown,
  made: Set<Disposable>,
  outer: Set<Disposable> | undefined,
  seen: Set<object>,
): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) {
    return;
  }
  seen.add(value);
  if (made.delete(value as Disposable)) {
    outer?.add(value as Disposable);
  } else if (Array.isArray(value) || value instanceof Set) {
    for (const entry of value) keep(entry, made, outer, seen);
  } else if (value instanceof Map) {
    for (const entry of value.values()) keep(entry, made, outer, seen);
  } else if (Object.getPrototypeOf(value) === Object.prototype) {
    for (const entry of Object.values(value)) keep(entry, made, outer, seen);
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as Promise<unknown>).then === 'function'
  );
}
