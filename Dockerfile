# One image for every process of volume-mover; docker-compose.yml names the one to run.
FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --loglevel=warn
COPY . .
RUN node scripts/run.mjs build && npm prune --omit=dev --loglevel=warn
# Made here, since the user below may not write to dist/; else each start would make it again.
RUN node dist/workers/make-bundle.js

FROM node:20-bookworm-slim
# Certificates for servers reached over TLS (Temporal Cloud).
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV NODE_ENV=production NODE_OPTIONS=--enable-source-maps
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/bin ./bin
COPY --from=build /app/dist ./dist
# A named volume mounted here starts as the process's own.
RUN mkdir -p /var/lib/volume-mover && chown node:node /var/lib/volume-mover
USER node
CMD ["node", "bin/volume-mover.js", "worker"]
