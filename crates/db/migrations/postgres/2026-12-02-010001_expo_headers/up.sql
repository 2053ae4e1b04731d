-- Headers that Expo clients are told to send, as dictionaries: with later checks (NULL: they are told nothing), and with requests for assets.
ALTER TABLE channel ADD COLUMN expo_server_defined_headers TEXT COLLATE "C";
ALTER TABLE channel ADD COLUMN expo_asset_request_headers TEXT COLLATE "C" NOT NULL DEFAULT '';
