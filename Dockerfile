# The product in one image: workers, HTTP API, dashboard and command line. Settings come from the environment, none is baked in.
# Runs as `node` (uid 1000); /frames, /staging and /emulator belong to it, so that named volumes on them do too.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
COPY workers workers
RUN npm run build

FROM node:24-bookworm-slim AS modules
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
RUN install --directory --owner=node --group=node --mode=0700 /frames /staging /emulator
COPY --from=modules /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
USER node
ENTRYPOINT ["node", "dist/src/cli/main.js"]
CMD ["start", "all"]
