-- How the store knows a guid: 0: minted, or given with the article; 1: given by a source of the publisher's own, or adopted;
-- 2: adopted from an Atom feed in which it was no IRI.
ALTER TABLE article ADD COLUMN claim INTEGER NOT NULL DEFAULT 0;
-- The guid that submissions have for an article which got another one since.
ALTER TABLE article ADD COLUMN alias TEXT;
-- Version of the rules that cleaned the content; 0: from before these were counted.
ALTER TABLE article ADD COLUMN cleaning INTEGER NOT NULL DEFAULT 0;
-- Folder of the file whose name is the key.
ALTER TABLE article ADD COLUMN folder TEXT;
