# The recorder with ROS 2. ROS_IMAGE is any image with ROS 2 sourced from /opt/ros, from Humble to Lyrical:
# docker build -f deploy/docker/robot.Dockerfile --build-arg ROS_IMAGE=ros:humble-ros-base -t holdfast-robot .
ARG ROS_IMAGE=ros:jazzy-ros-base
ARG NODE_IMAGE=node:20-bookworm

FROM ${NODE_IMAGE} AS node

FROM ${ROS_IMAGE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends build-essential python3 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=node /usr/local/ /usr/local/
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
# The native part fits one distribution, so it is built with the one of the image. Not every rcl has all that
# rclnodejs calls; the header adds it.
COPY cmake/rcl-compat.hpp cmake/
RUN bash -c 'source /opt/ros/*/setup.bash \
 && CXXFLAGS="-include /src/cmake/rcl-compat.hpp" npm rebuild rclnodejs --ignore-scripts=false'
COPY . .
RUN npm run build && npm run release:documents
# Without the receiver, the recorder receives with rclnodejs.
RUN bash -c 'source /opt/ros/*/setup.bash && (node native/build.mjs || echo "the native receiver cannot be built")'
RUN npm prune --omit=dev --ignore-scripts

FROM ${ROS_IMAGE}
ARG VERSION=0.2.0
LABEL org.opencontainers.image.title="holdfast-robot" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      holdfast.sbom="/opt/holdfast/sbom.cdx.json"
RUN groupadd --gid 10001 holdfast \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/holdfast --shell /usr/sbin/nologin holdfast \
 && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/holdfast
COPY --from=node /usr/local/bin/node /usr/local/bin/node
WORKDIR /opt/holdfast
COPY --from=build /src/package.json /src/package.xml ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/native ./native
COPY --from=build /src/dist/src ./dist/src
COPY --from=build /src/dist/web ./dist/web
COPY --from=build /src/dist/web-ground ./dist/web-ground
COPY --from=build /src/config ./config
COPY --from=build /src/dist/release/ /src/deploy/docker/healthy.mjs /src/deploy/docker/with-ros.sh ./
RUN chmod 0755 dist/src/app/main.js with-ros.sh \
 && ln -s /opt/holdfast/dist/src/app/main.js /usr/local/bin/holdfast

USER 10001:10001
WORKDIR /var/lib/holdfast
VOLUME /var/lib/holdfast
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["node", "/opt/holdfast/healthy.mjs"]
ENTRYPOINT ["/opt/holdfast/with-ros.sh"]
CMD ["record", "--source", "ros:", "--data", "/var/lib/holdfast/data"]
