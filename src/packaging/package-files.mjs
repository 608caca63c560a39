/**
 * What a package has and a checkout has not: the SDK where our plugins find it. `npm pack` adds it
 * before and removes it after.
 */
import { cpSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const sdk = join("sdk", "typescript");
/** Above the plugins, where Node looks for what they import; in a checkout npm links it elsewhere. */
const modulesOfPlugins = join("plugins", "node_modules");

/** Of the SDK, without one source each: src/sdk-bundle.mjs. */
const bundles = ["bundle", "bundle-shared", "harness-bundle"];

/** Call it with what is built; `root` is the checkout. */
export function addPackageFiles(root) {
  removePackageFiles(root);
  for (const [output, sources] of outputsOf(root)) removeLeftovers(output, sources);
  const copy = join(root, modulesOfPlugins, "@bulkhead", "sdk");
  const isShipped = (file) => !file.endsWith(".tsbuildinfo");
  cpSync(join(root, sdk, "dist"), join(copy, "dist"), { recursive: true, filter: isShipped });
  cpSync(join(root, sdk, "package.json"), join(copy, "package.json"));
  cpSync(join(root, sdk, "README.md"), join(copy, "README.md"));
}

/** Undoes it; nothing happens when there is nothing to undo. */
export function removePackageFiles(root) {
  rmSync(join(root, modulesOfPlugins), { recursive: true, force: true });
}

/** Each folder that is compiled to, with its sources. */
function outputsOf(root) {
  const programs = readdirSync(join(root, "plugins")).map((name) => join("plugins", name));
  return [
    [join(root, "dist"), join(root, "src")],
    ...[sdk, ...programs].map((one) => [join(root, one, "dist"), join(root, one, "src")]),
  ].filter(([output]) => existsSync(output));
}

/** The compiler leaves what it made of a source that is no more. */
function removeLeftovers(output, sources) {
  for (const file of readdirSync(output, { recursive: true })) {
    const [, name] = /^(.*?)\.(?:d\.ts|js|js\.map)$/.exec(file) ?? [];
    if (name === undefined || bundles.includes(name)) continue;
    if (!existsSync(join(sources, `${name}.ts`))) rmSync(join(output, file));
  }
}
