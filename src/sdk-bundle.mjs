/**
 * The SDK and what it needs as one file behind dist/bundle.js: a plugin process starts in half the time, as
 * most of it goes into finding and reading some 200 files. The build runs it as a program of its own.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { descriptorModule } from "./descriptor-module.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "sdk", "typescript", "dist");

const descriptors = {
  name: "descriptors",
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]gen[/\\].*_pb\.js$/ }, async ({ path }) => {
      const module = await import(pathToFileURL(path).href);
      return { contents: descriptorModule(readFileSync(path, "utf8"), module) };
    });
  },
};

try {
  await build({
    entryPoints: {
      bundle: join(dist, "index.js"),
      "harness-bundle": join(dist, "harness", "harness.js"),
    },
    outdir: dist,
    // A plugin's test has both, and an error class has to be the same in both.
    splitting: true,
    chunkNames: "bundle-shared",
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    legalComments: "inline",
    logLevel: "error",
    plugins: [descriptors],
    // gRPC loads it for services that no plugin offers: a quarter of the file.
    external: ["@grpc/proto-loader"],
    // gRPC is written in CommonJS and asks for Node's own modules with require.
    banner: {
      js: 'import { createRequire as $requireFor } from "node:module"; const require = $requireFor(import.meta.url);',
    },
  });
} catch {
  // esbuild has said why.
  process.exitCode = 1;
}
