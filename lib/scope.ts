import { AsyncLocalStorage } from 'node:async_hooks';
import { types } from 'node:util';
import { CudnnResnetError } from './errors.js';
import { isPlainObject, kindOf } from './kind-of.js';

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
  ended: boolean;
}

// Follows each asynchronous call on its own, so that scopes that overlap in time do not take each other's tensors.
const current = new AsyncLocalStorage<Scope | undefined>();

/** `scope`, or the first around it that has not ended: what was started in a scope, such as a timer, may outlive it. */
function stillOpen(scope: Scope | undefined): Scope | undefined {
  return scope?.ended ? stillOpen(scope.outer) : scope;
}

/**
 * Runs `fn` and disposes of every tensor made inside that it does not return, also where it throws. What it returns may
 * hold tensors in arrays, sets, maps and plain objects. `fn` may be asynchronous: the scope then ends when its promise
 * does. What is made later still, in a timer say, belongs to the scope around it that is still open, if there is one.
 *
 * Parameters and buffers of modules made inside belong to their module and are left alone, as are those that a module
 * replaces while an `nn.Sequential`, a block or a `ResNet` runs it. A tensor that is otherwise to stay with a module made
 * outside has to be returned.
 *
 * @throws `ERR_ARGUMENT` where `fn` is no function.
 */
export function scope<T>(fn: () => T): T {
  if (typeof fn !== 'function') {
    throw new CudnnResnetError('ERR_ARGUMENT', `scope: expected a function, got ${kindOf(fn)}`);
  }
  const outer = stillOpen(current.getStore());
  const own: Scope = { outer, made: new Set(), owners: new Set(), ended: false };
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
    if (isPromise(result)) return result.then(leave, fail) as T;
  } catch (error) {
    return fail(error);
  }
  return leave(result);
}

/** Runs `fn` outside of every scope: what it makes stays until it is disposed of by hand. */
export function unscoped<T>(fn: () => T): T {
  return current.run(undefined, fn);
}

/** Lets the scope that is open, if one is, dispose of `tensor`. */
export function register(tensor: Disposable): void {
  stillOpen(current.getStore())?.made.add(tensor);
}

/** Keeps the scope that is open, if one is, from disposing of the tensors that belong to `owner` when it ends. */
export function registerOwner(owner: Owner): void {
  stillOpen(current.getStore())?.owners.add(owner);
}

/** Takes `owner` out of the scopes that are open: it is disposed of, and they are not to hold it longer. */
export function unregisterOwner(owner: Owner): void {
  for (let open = current.getStore(); open; open = open.outer) open.owners.delete(owner);
}

/** Takes `tensor` out of the scopes that are open. */
export function unregister(tensor: Disposable): void {
  for (let open = current.getStore(); open; open = open.outer) open.made.delete(tensor);
}

/** Ends the scope. Where looking for tensors in `value` fails nobody gets it, and none is kept. */
function release(value: unknown, own: Scope): void {
  const kept = new Set<unknown>();
  try {
    keep(value, own.made, kept, new Set());
  } catch (error) {
    kept.clear();
    throw error;
  } finally {
    end(own, kept);
  }
}

/** Adds what `value` holds of `made` to `kept`. */
function keep(value: unknown, made: Set<unknown>, kept: Set<unknown>, seen: Set<unknown>): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) {
    return;
  }
  seen.add(value);
  if (made.has(value)) {
    kept.add(value);
  } else if (Array.isArray(value) || types.isSet(value) || types.isMap(value)) {
    for (const entry of value) keep(entry, made, kept, seen);
  } else if (isPlainObject(value)) {
    for (const entry of Object.values(value)) keep(entry, made, kept, seen);
  }
}

/** Disposes of what was made but for `kept`, which goes to the scope around. */
function end(own: Scope, kept: ReadonlySet<unknown>): void {
  own.ended = true;
  own.outer = stillOpen(own.outer); // lets go of those that have ended
  const { outer, made, owners } = own;
  for (const owner of owners) {
    for (const tensor of owner.ownTensors()) made.delete(tensor);
    outer?.owners.add(owner);
  }
  for (const tensor of made) {
    if (kept.has(tensor)) outer?.made.add(tensor);
    else tensor.dispose();
  }
  made.clear(); // whatever outlives the scope still refers to it
  owners.clear();
}

function isPromise(value: unknown): value is Promise<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as Promise<unknown>).then === 'function'
  );
}
