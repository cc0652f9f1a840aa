//! One RocksDB: opening, reading, and the one way to write.

use std::path::{Path, PathBuf};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, IteratorMode, Options, ReadOptions,
    WriteBatch, WriteOptions,
};

use super::columns::Column;

/// Memory for cached blocks, in bytes, for all column families together.
const BLOCK_CACHE_BYTES: usize = 64 << 20;
/// Size of one memtable, in bytes.
const MEMTABLE_BYTES: usize = 16 << 20;
/// Unflushed bytes over all column families after which RocksDB flushes: bounds what a restart replays.
const UNFLUSHED_BYTES_MAX: usize = 128 << 20;

/// A storage error: the node cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("database {path}: {message}")]
pub struct DbError {
    /// The database's folder.
    pub path: PathBuf,
    /// What RocksDB says.
    pub message: String,
}

/// An open database.
pub struct Db {
    path: PathBuf,
    inner: DB,
}

/// Bytes of a key and of its value.
pub type Row = (Box<[u8]>, Box<[u8]>);

impl Db {
    /// Opens (and creates, if asked) the database in a folder.
    ///
    /// RocksDB's own log is replayed up to its first torn record: what is lost behind it is applied again from the Raft log, which is
    /// purged only behind a synced checkpoint.
    pub fn open(path: &Path, create: bool) -> Result<Db, DbError> {
        let mut options = Options::default();
        options.create_if_missing(create);
        options.create_missing_column_families(create);
        options.set_db_write_buffer_size(UNFLUSHED_BYTES_MAX);
        options.set_max_total_wal_size(UNFLUSHED_BYTES_MAX as u64);
        options.set_max_background_jobs(2);
        options.set_keep_log_file_num(4);
        options.set_max_open_files(512);
        let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
        let families =
            Column::ALL.map(|column| ColumnFamilyDescriptor::new(column.name(), column_options(column, &cache)));
        let inner = DB::open_cf_descriptors(&options, path, families).map_err(|e| wrap(path, e))?;
        Ok(Db { path: path.to_owned(), inner })
    }

    /// Opens a database that nobody writes to, such as a snapshot's.
    pub fn open_read_only(path: &Path) -> Result<Db, DbError> {
        let names = Column::ALL.map(Column::name);
        let inner = DB::open_cf_for_read_only(&Options::default(), path, names, false).map_err(|e| wrap(path, e))?;
        Ok(Db { path: path.to_owned(), inner })
    }

    fn family(&self, column: Column) -> Result<&rocksdb::ColumnFamily, DbError> {
        self.inner.cf_handle(column.name()).ok_or_else(|| DbError {
            path: self.path.clone(),
            message: format!("column family {} is missing", column.name()),
        })
    }

    /// One value.
    pub fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, DbError> {
        self.inner.get_cf(self.family(column)?, key).map_err(|e| wrap(&self.path, e))
    }

    /// The values of several keys, in the order of the keys; one look-up for all costs less than one each.
    pub fn get_many(&self, column: Column, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, DbError> {
        let found = self.inner.batched_multi_get_cf(self.family(column)?, keys, false);
        let value = |one: Result<Option<rocksdb::DBPinnableSlice<'_>>, rocksdb::Error>| {
            one.map(|value| value.map(|bytes| bytes.to_vec())).map_err(|e| wrap(&self.path, e))
        };
        found.into_iter().map(value).collect()
    }

    /// Rows from `from` (inclusive) on, in key order, while they begin with `prefix`.
    pub fn scan<'a>(
        &'a self,
        column: Column,
        from: &[u8],
        prefix: &[u8],
    ) -> Result<impl Iterator<Item = Result<Row, DbError>> + 'a, DbError> {
        let prefix = prefix.to_vec();
        let mode = IteratorMode::From(from, rocksdb::Direction::Forward);
        let rows = self.inner.iterator_cf_opt(self.family(column)?, ReadOptions::default(), mode);
        Ok(rows
            .map(|row| row.map_err(|e| wrap(&self.path, e)))
            .take_while(move |row| row.as_ref().map_or(true, |(key, _)| key.starts_with(&prefix))))
    }

    /// The last row of a column family.
    pub fn last(&self, column: Column) -> Result<Option<Row>, DbError> {
        let mut rows = self.inner.iterator_cf(self.family(column)?, IteratorMode::End);
        rows.next().transpose().map_err(|e| wrap(&self.path, e))
    }

    /// A batch to be filled and written at once.
    pub fn batch(&self) -> Batch<'_> {
        Batch { db: self, inner: WriteBatch::default() }
    }

    /// A consistent copy by hard links, with everything flushed and synced.
    pub fn checkpoint(&self, into: &Path) -> Result<(), DbError> {
        let checkpoint = rocksdb::checkpoint::Checkpoint::new(&self.inner).map_err(|e| wrap(&self.path, e))?;
        checkpoint.create_checkpoint(into).map_err(|e| wrap(into, e))
    }

    /// Makes everything written so far survive power loss.
    pub fn sync(&self) -> Result<(), DbError> {
        self.inner.flush_wal(true).map_err(|e| wrap(&self.path, e))
    }
}

fn wrap(path: &Path, error: rocksdb::Error) -> DbError {
    DbError { path: path.to_owned(), message: error.into_string() }
}

fn column_options(column: Column, cache: &Cache) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_bloom_filter(10.0, false);
    blocks.set_format_version(5);
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    options.set_write_buffer_size(MEMTABLE_BYTES);
    options.set_compression_type(match column {
        // Ciphertexts and hashes do not compress.
        Column::Payloads | Column::PayloadKeys | Column::TenantKeys | Column::Nodes => DBCompressionType::None,
        _ => DBCompressionType::Lz4,
    });
    options
}

/// What is written at once or not at all.
pub struct Batch<'a> {
    db: &'a Db,
    inner: WriteBatch,
}

impl Batch<'_> {
    /// Sets a value.
    pub fn put(&mut self, column: Column, key: &[u8], value: &[u8]) -> Result<(), DbError> {
        self.inner.put_cf(self.db.family(column)?, key, value);
        Ok(())
    }

    /// Removes a value.
    pub fn delete(&mut self, column: Column, key: &[u8]) -> Result<(), DbError> {
        self.inner.delete_cf(self.db.family(column)?, key);
        Ok(())
    }

    /// Removes every key from `from` (inclusive) to `to` (exclusive).
    pub fn delete_range(&mut self, column: Column, from: &[u8], to: &[u8]) -> Result<(), DbError> {
        self.inner.delete_range_cf(self.db.family(column)?, from, to);
        Ok(())
    }

    /// Writes everything.
    ///
    /// A crash before this leaves nothing of the batch, a crash after it all of it, the position included: RocksDB's log holds a batch
    /// as one record. It is not synced: after power loss the batch may be gone, whole, and the Raft log applies it again.
    pub fn write(self) -> Result<(), DbError> {
        let mut options = WriteOptions::default();
        options.set_sync(false);
        self.db.inner.write_opt(self.inner, &options).map_err(|e| wrap(&self.db.path, e))
    }
}
